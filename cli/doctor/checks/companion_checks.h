#ifndef BELLWIRE_CLI_DOCTOR_CHECKS_COMPANION_CHECKS_H_
#define BELLWIRE_CLI_DOCTOR_CHECKS_COMPANION_CHECKS_H_

#include "cli/doctor/facts/facts.h"
#include "cli/doctor/finding.h"

namespace bellwire::cli {

// What is wrong with this user's companion: session bus, process, port for browsers, state. Pure.
void CheckCompanion(const CompanionFacts& companion, Findings* findings);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_DOCTOR_CHECKS_COMPANION_CHECKS_H_
