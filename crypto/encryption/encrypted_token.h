#ifndef BELLWIRE_CRYPTO_ENCRYPTION_ENCRYPTED_TOKEN_H_
#define BELLWIRE_CRYPTO_ENCRYPTION_ENCRYPTED_TOKEN_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/limits.h"
#include "crypto/encryption/aes128gcm.h"

// What an app hands to its backend so that nobody on the way reads its messages, and the payloads
// that the backend then sends. Pure functions; thread-safe.
namespace bellwire {

// A device token, and for whom to encrypt.
struct EncryptedToken {
  // Lower-case hex.
  std::string token;
  Recipient recipient;

  friend bool operator==(const EncryptedToken&, const EncryptedToken&) = default;
};

// The text form: "e1.TOKEN.P256DH.AUTH", the last two in base64url without padding.
inline constexpr size_t kMaxEncryptedTokenChars = 3 + kMaxTokenChars + 1 + 87 + 1 + 22;

std::string FormatEncryptedToken(const EncryptedToken& token);
// Takes what FormatEncryptedToken makes and nothing else.
//   INVALID_ARGUMENT BAD_ENCRYPTED_TOKEN; the message does not repeat it
absl::StatusOr<EncryptedToken> ParseEncryptedToken(absl::string_view text);

// Before the body of an encrypted payload. No UTF-8 text begins so; the last byte is the version.
inline constexpr absl::string_view kEncryptedPayloadMark(
    "\xbe"
    "bw\x01",
    4);

// The longest text that fits in a message.
inline constexpr size_t kMaxEncryptedTextBytes =
    kMaxPayloadBytes - kEncryptedPayloadMark.size() - kEncryptionOverheadBytes;
static_assert(kMaxEncryptedTextBytes <= kMaxRecordTextBytes);

bool IsEncryptedPayload(absl::string_view payload);
// What follows the mark. REQUIRES: IsEncryptedPayload(payload).
absl::string_view BodyOfEncryptedPayload(absl::string_view payload);

// The payload to send to `token.token`.
//   INVALID_ARGUMENT PAYLOAD_TOO_LARGE: more than kMaxEncryptedTextBytes; errors of
//   EncryptAes128gcm
absl::StatusOr<std::string> EncryptPayload(const EncryptedToken& token, absl::string_view text);

}  // namespace bellwire

#endif  // BELLWIRE_CRYPTO_ENCRYPTION_ENCRYPTED_TOKEN_H_
