#ifndef BELLWIRE_CLI_DOCTOR_FACTS_FILE_FACTS_H_
#define BELLWIRE_CLI_DOCTOR_FACTS_FILE_FACTS_H_

#include <string>

#include "cli/doctor/facts/facts.h"

// What the file system says. Blocking; thread-safe.
namespace bellwire::cli {

FileFacts ReadFileFacts(const std::string& path);
DiskFacts ReadDiskFacts(const std::string& path);
// Connects to a Unix socket, "@NAME" being an abstract one: 0, or the errno of connect(2). `pid`,
// if asked for, is the process that listens there, and 0 if nobody does.
int ConnectToUnixSocket(const std::string& path, pid_t* pid = nullptr);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_DOCTOR_FACTS_FILE_FACTS_H_
