#ifndef BELLWIRE_COMMON_BASE64_H_
#define BELLWIRE_COMMON_BASE64_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

// Base64 (RFC 4648) from strangers. Abseil's decoders pass over white space, and over the bits of
// the last digit that belong to no byte. Many texts are then the same bytes: a credential could be
// written in several ways, and a cut-off text would pass. These take only what an encoder writes.
// Pure.
namespace bellwire {

// Whether `text` is base64url without padding whose spare bits are 0 (RFC 4648, 3.5).
bool IsBase64Url(absl::string_view text);

// The bytes of such a text; nullopt: it isn't one.
std::optional<std::string> DecodeBase64Url(absl::string_view text);

// The same from people's programs: either alphabet, but not both in one text; with all of its
// padding or without any.
std::optional<std::string> DecodeAnyBase64(absl::string_view text);

}  // namespace bellwire

#endif  // BELLWIRE_COMMON_BASE64_H_
