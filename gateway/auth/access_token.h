#ifndef BELLWIRE_GATEWAY_AUTH_ACCESS_TOKEN_H_
#define BELLWIRE_GATEWAY_AUTH_ACCESS_TOKEN_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

// Access tokens: one line that a person pastes where a JWT would be too much, such as a curl
// command.
//
//   bw_ KEY_ID SECRET      "bw_", 10 and 32 characters of [a-z2-7], nothing between them
//
// The secret has 160 random bits, so a plain SHA-256 of the token is safe to store. Pure functions
// but for NewAccessToken.
namespace bellwire::gateway {

// A random token of the key `key_id` (NewShortId). Thread-safe.
std::string NewAccessToken(absl::string_view key_id);

// Whether a credential means to be an access token, well-formed or not. A JWT never does: it begins
// with the base64url of "{".
bool LooksLikeAccessToken(absl::string_view credential);

// The key id of a well-formed token; points into it. nullopt: it is none.
std::optional<absl::string_view> KeyIdOfAccessToken(absl::string_view token);

// What the server keeps of it: 32 bytes.
std::string HashAccessToken(absl::string_view token);
// In a time that doesn't tell where they differ.
bool AccessTokenMatches(absl::string_view token, absl::string_view hash);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_AUTH_ACCESS_TOKEN_H_
