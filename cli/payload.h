#ifndef BELLWIRE_CLI_PAYLOAD_H_
#define BELLWIRE_CLI_PAYLOAD_H_

#include <string>

#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

// Payloads are any bytes; a terminal and a JSON string are not made for any bytes. Pure functions.
namespace bellwire::cli {

// Well-formed UTF-8 (RFC 3629).
bool IsUtf8(absl::string_view bytes);

// For one line of a terminal: as it is if it is UTF-8 without control characters (which could move
// somebody's cursor), otherwise "(N bytes) hex...", cut.
std::string RenderPayload(absl::string_view payload);

// Adds "payload" if it is UTF-8, otherwise "payload_base64".
void AddPayload(absl::string_view payload, nlohmann::ordered_json* json);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_PAYLOAD_H_
