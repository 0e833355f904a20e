#ifndef BELLWIRE_CRYPTO_ENROLMENT_TOKEN_H_
#define BELLWIRE_CRYPTO_ENROLMENT_TOKEN_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

// Enrolment tokens: one line that lets a new device in where the server takes enrolled devices
// only.
//
//   bwe_ ENROLMENT_ID SECRET      "bwe_", 10 and 32 characters of [a-z2-7], nothing between them
//
// The secret has 160 random bits, so a plain SHA-256 of the token is safe to store. Pure functions
// but for NewEnrolmentToken; all are thread-safe.
namespace bellwire {

// The length of each token.
inline constexpr size_t kEnrolmentTokenChars = 46;

// A random token of the enrolment `enrolment_id` (NewShortId).
std::string NewEnrolmentToken(absl::string_view enrolment_id);

// The enrolment's id in a well-formed token; points into it. nullopt: it is none.
std::optional<absl::string_view> IdOfEnrolmentToken(absl::string_view token);

// What the server keeps of it: 32 bytes.
std::string HashEnrolmentToken(absl::string_view token);
// In a time that doesn't tell where they differ.
bool EnrolmentTokenMatches(absl::string_view token, absl::string_view hash);

}  // namespace bellwire

#endif  // BELLWIRE_CRYPTO_ENROLMENT_TOKEN_H_
