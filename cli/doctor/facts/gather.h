#ifndef BELLWIRE_CLI_DOCTOR_FACTS_GATHER_H_
#define BELLWIRE_CLI_DOCTOR_FACTS_GATHER_H_

#include <string>

#include "CLI/App.hpp"
#include "cli/doctor/facts/facts.h"
#include "common/clock.h"

// Looks at this box: files, processes, ports, and the agent's answer. Changes nothing. Blocking, a
// few seconds for each port that does not answer.
namespace bellwire::cli {

// Where to look. What is not named is looked for at its usual place; a part that is not there is
// left out.
struct BoxFlags {
  // Of the server. Empty: as server.conf says.
  std::string data_dir;
  // "HOST:PORT" of its ports. Empty: those that the running server listens on.
  std::string server;
  std::string device;
  std::string admin;
  // PEM file of the CA, for a server elsewhere. Empty: that of `data_dir`, or the agent's.
  std::string ca;
  // Configuration files.
  std::string server_config = "/etc/bellwire/server.conf";
  std::string agent_config = "/etc/bellwire/agent.conf";
  // Of the agent. Empty: as agent.conf says, or the usual one.
  std::string socket;
  // Of this user's companion. Empty: the usual one.
  std::string companion_dir;
};

// Also reads the environment: BELLWIRE_DATA_DIR, BELLWIRE_SERVER, BELLWIRE_CA,
// BELLWIRE_AGENT_SOCKET. `flags`
// outlives the parse.
void AddBoxFlags(CLI::App* command, BoxFlags* flags);

Facts GatherFacts(const BoxFlags& flags, const Clock& clock);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_DOCTOR_FACTS_GATHER_H_
