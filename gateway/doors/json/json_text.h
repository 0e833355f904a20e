#ifndef BELLWIRE_GATEWAY_DOORS_JSON_JSON_TEXT_H_
#define BELLWIRE_GATEWAY_DOORS_JSON_JSON_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

// JSON that strangers send. Pure functions.
namespace bellwire::gateway {

// What a text may hold; its length is bounded by whoever reads it.
struct JsonBounds {
  // Objects and arrays within each other, the outermost counted.
  size_t depth = 8;
  // Values of whatever kind: each costs some 16 bytes and more once it is parsed.
  size_t values = 1024;
};

// Parses one JSON value (RFC 8259). Stricter than most, so that no two readers see two different
// things in it: no name twice in an object, UTF-8 only, no half of a surrogate pair, nothing behind
// it. Errors, all INVALID_ARGUMENT:
//   MALFORMED_JSON: says where · JSON_TOO_DEEP · JSON_TOO_LARGE: too many values · DUPLICATE_FIELD
absl::StatusOr<nlohmann::json> ParseJsonValue(absl::string_view text, const JsonBounds& bounds);

// Compact, with all names in their order; bytes that are no UTF-8 become U+FFFD.
std::string DumpJson(const nlohmann::ordered_json& json);

// --- For parsers of their own. ---

//   INVALID_ARGUMENT MALFORMED_JSON. `what` is what nlohmann's parser says.
absl::Status MalformedJson(absl::string_view what);
//   INVALID_ARGUMENT DUPLICATE_FIELD
absl::Status DuplicateField(absl::string_view name);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_JSON_JSON_TEXT_H_
