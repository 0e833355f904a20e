#ifndef BELLWIRE_CLI_DOCTOR_FACTS_GATHER_AGENT_H_
#define BELLWIRE_CLI_DOCTOR_FACTS_GATHER_AGENT_H_

#include <string>

#include "cli/doctor/facts/facts.h"
#include "cli/doctor/facts/settings.h"
#include "common/clock.h"

namespace bellwire::cli {

struct AgentPlace {
  std::string socket_path;
  // Of the configuration file, for an agent that does not run.
  Settings settings;
};

// Blocking.
AgentFacts GatherAgent(const AgentPlace& place, const Clock& clock);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_DOCTOR_FACTS_GATHER_AGENT_H_
