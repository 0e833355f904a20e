#ifndef BELLWIRE_CLI_DOCTOR_FACTS_PROCESS_TABLE_H_
#define BELLWIRE_CLI_DOCTOR_FACTS_PROCESS_TABLE_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "cli/doctor/facts/facts.h"
#include "common/clock.h"

// The kernel's tables of processes and sockets, below /proc. What another user's process has open
// is visible to root only. Blocking; thread-safe.
namespace bellwire::cli {

// Ports that ListeningPorts looks at: more than a box of ours has.
inline constexpr size_t kMaxListeners = 4096;

// nullopt: there is no such process.
std::optional<ProcessFacts> ReadProcess(pid_t pid, const Clock& clock);

// Processes that have this file open (stat(2) tells them apart, not the path).
std::vector<pid_t> ProcessesWithOpen(const std::string& path);

// Processes whose name (ProcessFacts::name) begins so; not this one.
std::vector<pid_t> ProcessesNamed(absl::string_view prefix);

// TCP ports that somebody listens on, each once; `pid` and `name` where they may be seen.
std::vector<ListenerFacts> ListeningPorts();

// A line of /proc/net/tcp or tcp6 about a socket that listens. Pure.
struct ListeningSocket {
  // As of ListenerFacts.
  std::string host;
  uint16_t port = 0;
  uid_t uid = 0;
  std::string inode;
};
std::optional<ListeningSocket> ParseListeningSocket(absl::string_view line);

// What a program was started with: "--name value", "--name=value", in their order. Pure.
std::vector<std::pair<std::string, std::string>> ParseArguments(
    const std::vector<std::string>& arguments);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_DOCTOR_FACTS_PROCESS_TABLE_H_
