#ifndef BELLWIRE_CRYPTO_P256_H_
#define BELLWIRE_CRYPTO_P256_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "crypto/openssl_ptr.h"

// What device keys, provider keys and certificates have in common: P-256 pairs and their encodings.
// Thread-safe.
namespace bellwire {

// The DER SubjectPublicKeyInfo of a P-256 key: named curve, uncompressed point. Other encodings of
// the same key exist in X.509 and are not taken, so that equal keys are equal bytes.
inline constexpr size_t kP256PublicKeyBytes = 91;

//   INTERNAL: OpenSSL can't
absl::StatusOr<EvpPkeyPtr> GenerateP256Key();

// Null unless `der` is kP256PublicKeyBytes of that encoding and the point is on the curve.
EvpPkeyPtr ParseP256PublicKey(absl::string_view der);
// Whether `point` is an uncompressed point of the curve (SEC 1, 2.3.3): 65 bytes, the first one 4.
bool IsP256Point(absl::string_view point);

// Null unless `pem` begins with a PEM private key that is not encrypted (any algorithm). Never asks
// for a passphrase, which OpenSSL by itself would do on the terminal.
EvpPkeyPtr ParsePrivateKeyPem(absl::string_view pem);
// The same for a public key (SubjectPublicKeyInfo).
EvpPkeyPtr ParsePublicKeyPem(absl::string_view pem);
// The same for a certificate.
X509Ptr ParseCertificatePem(absl::string_view pem);

// The encodings of a key; empty if it has none. PublicKeyDer of a P-256 key with a named curve has
// kP256PublicKeyBytes.
std::string PublicKeyDer(const EVP_PKEY* key);
std::string PublicKeyPem(const EVP_PKEY* key);
std::string PrivateKeyPem(const EVP_PKEY* key);
std::string CertificatePem(const X509* certificate);

// Whether the key is a P-256 key in the encoding above.
bool IsP256(const EVP_PKEY* key);

}  // namespace bellwire

#endif  // BELLWIRE_CRYPTO_P256_H_
