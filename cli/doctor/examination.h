#ifndef BELLWIRE_CLI_DOCTOR_EXAMINATION_H_
#define BELLWIRE_CLI_DOCTOR_EXAMINATION_H_

#include "cli/doctor/facts/facts.h"
#include "cli/doctor/finding.h"

namespace bellwire::cli {

// Everything that is wrong with a box, problems first; empty if it is healthy. Pure.
Findings Examine(const Facts& facts);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_DOCTOR_EXAMINATION_H_
