#ifndef BELLWIRE_CLI_DOCTOR_CHECKS_CONNECTION_CHECKS_H_
#define BELLWIRE_CLI_DOCTOR_CHECKS_CONNECTION_CHECKS_H_

#include "cli/doctor/facts/facts.h"
#include "cli/doctor/finding.h"

namespace bellwire::cli {

// Beyond this a clock is wrong: the Date of HTTP has whole seconds, and a busy server is late.
inline constexpr absl::Duration kMaxClockDifference = absl::Seconds(30);

// Why a port of a server can't be used, if it can't: `part` is who looks, the server at its own
// ports or the agent at its server. Pure.
void CheckConnection(Part part, const ConnectionFacts& connection, Findings* findings);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_DOCTOR_CHECKS_CONNECTION_CHECKS_H_
