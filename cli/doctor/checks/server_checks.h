#ifndef BELLWIRE_CLI_DOCTOR_CHECKS_SERVER_CHECKS_H_
#define BELLWIRE_CLI_DOCTOR_CHECKS_SERVER_CHECKS_H_

#include "absl/time/time.h"
#include "cli/doctor/facts/facts.h"
#include "cli/doctor/finding.h"

namespace bellwire::cli {

// Time to renew a certificate in.
inline constexpr absl::Duration kExpiresSoon = absl::Hours(24 * 30);
// Those of public authorities are good for weeks, and renew themselves two weeks before their end.
inline constexpr absl::Duration kPublicExpiresSoon = absl::Hours(24 * 7);
// A process that has used more than this share of its descriptors is about to refuse connections.
inline constexpr double kDescriptorsNearlyUsed = 0.9;

// What is wrong with the server of this box: its files, disk, process and ports. Pure.
void CheckServer(const ServerFacts& server, absl::Time now, Findings* findings);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_DOCTOR_CHECKS_SERVER_CHECKS_H_
