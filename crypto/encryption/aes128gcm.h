#ifndef BELLWIRE_CRYPTO_ENCRYPTION_AES128GCM_H_
#define BELLWIRE_CRYPTO_ENCRYPTION_AES128GCM_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "crypto/openssl_ptr.h"

// RFC 8291: one record of aes128gcm (RFC 8188), for who has a P-256 key and an authentication
// secret. Pure functions; thread-safe.
namespace bellwire {

inline constexpr size_t kP256PointBytes = 65;
inline constexpr size_t kAuthSecretBytes = 16;
inline constexpr size_t kSaltBytes = 16;
// What a body has beside the text: salt, record size, length of the key id, the sender's key, a
// delimiter and a tag.
inline constexpr size_t kEncryptionOverheadBytes = kSaltBytes + 4 + 1 + kP256PointBytes + 1 + 16;
// Of a body, header excluded, that this makes: what RFC 8291 recommends.
inline constexpr size_t kRecordBytes = 4096;
// Of text in one record.
inline constexpr size_t kMaxRecordTextBytes = kRecordBytes - 1 - 16;

// What a sender knows of who shall read: it encrypts, and can't decrypt what it encrypted.
struct Recipient {
  // An uncompressed point: kP256PointBytes.
  std::string public_key;
  // kAuthSecretBytes. Who doesn't know it can't make a body that DecryptAes128gcm takes.
  std::string auth_secret;

  friend bool operator==(const Recipient&, const Recipient&) = default;
};

// The uncompressed point of a P-256 key; empty if the key is another.
std::string PointOf(const EVP_PKEY* key);

// A body of text.size() + kEncryptionOverheadBytes, under a key and a salt of its own.
//   INVALID_ARGUMENT BAD_RECIPIENT: a malformed key or secret
//   INVALID_ARGUMENT PAYLOAD_TOO_LARGE: more than kMaxRecordTextBytes
//   INTERNAL: OpenSSL can't
absl::StatusOr<std::string> EncryptAes128gcm(const Recipient& recipient, absl::string_view text);

// The same with a given key pair and salt, for test vectors: both must never be used twice.
absl::StatusOr<std::string> EncryptAes128gcmWith(const Recipient& recipient, absl::string_view text,
                                                 EVP_PKEY* sender_key, absl::string_view salt);

// The text of a body. `key` is the private key, `auth_secret` kAuthSecretBytes.
//   INVALID_ARGUMENT BAD_ENCRYPTION: no such body; or not made for this key and secret; or changed
//   on its way
absl::StatusOr<std::string> DecryptAes128gcm(EVP_PKEY* key, absl::string_view auth_secret,
                                             absl::string_view body);

}  // namespace bellwire

#endif  // BELLWIRE_CRYPTO_ENCRYPTION_AES128GCM_H_
