#ifndef BELLWIRE_CLI_QR_TEXT_H_
#define BELLWIRE_CLI_QR_TEXT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bellwire::cli {

// `text` as a QR code that a phone reads from a terminal: lines of half blocks, light modules
// drawn, as terminals are dark, with the light margin that readers want. Pure.
//   INVALID_ARGUMENT: nothing, or more than a QR code holds (some 2,300 bytes)
absl::StatusOr<std::vector<std::string>> QrText(absl::string_view text);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_QR_TEXT_H_
