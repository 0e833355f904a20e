#ifndef BELLWIRE_CLI_DOCTOR_CHECKS_AGENT_CHECKS_H_
#define BELLWIRE_CLI_DOCTOR_CHECKS_AGENT_CHECKS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "cli/doctor/facts/facts.h"
#include "cli/doctor/finding.h"

namespace bellwire::cli {

// NATs of carriers forget an idle connection after 5 to 30 min, and RFC 5382 asks for 2 h 4 min.
// One that forgets earlier than this costs a phone hundreds of wake-ups a day.
inline constexpr absl::Duration kShortNatTimeout = absl::Minutes(4);
// Half of what a mailbox holds for an app: beyond that messages are about to be dropped.
inline constexpr uint32_t kManyWaiting = 50;
// So many starts in a row without a message taken are no accident.
inline constexpr uint32_t kStartsInVain = 3;

// What is wrong with the agent of this box: its socket, files, way to the server, and apps.
// `our_version`: of this program. Pure.
void CheckAgent(const AgentFacts& agent, const std::string& our_version, Findings* findings);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_DOCTOR_CHECKS_AGENT_CHECKS_H_
