#include "cli/doctor/examination.h"

#include "cli/doctor/checks/agent_checks.h"
#include "cli/doctor/checks/companion_checks.h"
#include "cli/doctor/checks/server_checks.h"

namespace bellwire::cli {

Findings Examine(const Facts& facts) {
  Findings findings;
  if (facts.server.has_value()) CheckServer(*facts.server, facts.now, &findings);
  if (facts.agent.has_value()) CheckAgent(*facts.agent, facts.our_version, &findings);
  if (facts.companion.has_value()) CheckCompanion(*facts.companion, &findings);
  SortFindings(&findings);
  return findings;
}

}  // namespace bellwire::cli
