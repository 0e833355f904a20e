#ifndef BELLWIRE_CRYPTO_PROVIDER_KEY_H_
#define BELLWIRE_CRYPTO_PROVIDER_KEY_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// The key pairs of teams: P-256, with which they sign their JWTs (ES256), and RSA, with which the
// service accounts of FCM's clients do (RS256). Thread-safe.
namespace bellwire {

struct ProviderKeyPair {
  std::string private_key_pem;  // PKCS #8, not encrypted.
  std::string public_key_pem;   // SubjectPublicKeyInfo.
};

//   INTERNAL: OpenSSL can't
absl::StatusOr<ProviderKeyPair> GenerateProviderKeyPair();

// Takes a caller's own public key, which must be one SubjectPublicKeyInfo PEM block with a P-256
// key, and answers it in the form GenerateProviderKeyPair gives it: this is what to store.
//   INVALID_ARGUMENT BAD_PUBLIC_KEY, field public_key_pem; the message says what it is instead
absl::StatusOr<std::string> CheckProviderPublicKey(absl::string_view public_key_pem);

// The same for a service account: RSA of 2,048 bits. Takes some 100 ms.
absl::StatusOr<ProviderKeyPair> GenerateServiceAccountKeyPair();
// The public key must be RSA of 2,048 to 4,096 bits with the exponent 65,537: others are too weak,
// or cost too much to verify with.
absl::StatusOr<std::string> CheckServiceAccountPublicKey(absl::string_view public_key_pem);

}  // namespace bellwire

#endif  // BELLWIRE_CRYPTO_PROVIDER_KEY_H_
