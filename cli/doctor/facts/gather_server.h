#ifndef BELLWIRE_CLI_DOCTOR_FACTS_GATHER_SERVER_H_
#define BELLWIRE_CLI_DOCTOR_FACTS_GATHER_SERVER_H_

#include <string>

#include "cli/doctor/facts/facts.h"
#include "cli/doctor/facts/settings.h"
#include "common/clock.h"

namespace bellwire::cli {

struct ServerPlace {
  // Empty: it is not on this box, and only the ports that are named are looked at.
  std::string data_dir;
  // "HOST:PORT"; empty: those that the running server listens on.
  std::string provider_address;
  std::string device_address;
  std::string admin_address;
  // Who vouches for a server that is not on this box.
  std::string ca_path;
  // Of the configuration file, for a server that does not run.
  Settings settings;
};

// Blocking.
ServerFacts GatherServer(const ServerPlace& place, const Clock& clock);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_DOCTOR_FACTS_GATHER_SERVER_H_
