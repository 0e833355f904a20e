#ifndef BELLWIRE_CLI_DOCTOR_FACTS_GATHER_COMPANION_H_
#define BELLWIRE_CLI_DOCTOR_FACTS_GATHER_COMPANION_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "cli/doctor/facts/facts.h"
#include "common/clock.h"

namespace bellwire::cli {

// The socket of a D-Bus address such as "unix:path=/run/user/1000/bus,guid=…"; "@NAME" is an
// abstract one. Empty: it names none. Pure.
std::string SocketOfBusAddress(absl::string_view address);

// Of the user who runs this; nullopt: they have no companion, as `state_dir` (empty: the usual one)
// is not there. Blocking.
std::optional<CompanionFacts> GatherCompanion(const std::string& state_dir, const Clock& clock);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_DOCTOR_FACTS_GATHER_COMPANION_H_
