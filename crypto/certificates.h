#ifndef BELLWIRE_CRYPTO_CERTIFICATES_H_
#define BELLWIRE_CRYPTO_CERTIFICATES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

// Makes the certificates of a self-hosted server: a small CA and what it issues. X.509 v3, P-256,
// ECDSA with SHA-256, random 127-bit serial numbers. Thread-safe.
namespace bellwire {

struct KeyAndCertificate {
  std::string key_pem;          // PKCS #8, not encrypted: for a private file.
  std::string certificate_pem;  // One certificate.
};

// Both ends are inclusive and rounded down to seconds.
struct Validity {
  absl::Time not_before;
  absl::Time not_after;
};

// A self-signed CA that may issue leaf certificates only (path length 0).
//   INVALID_ARGUMENT BAD_CERTIFICATE_REQUEST: common name not 1 to 64 bytes, or no time between the
//   ends
absl::StatusOr<KeyAndCertificate> MakeCertificateAuthority(absl::string_view common_name,
                                                           const Validity& validity);

struct LeafRequest {
  // For people; names are checked against the lists below. 1 to 64 bytes.
  std::string common_name;
  // Host names, and IPv4 or IPv6 addresses in text form: at least one of either.
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
  // What the key may be used for (extended key usage): at least one of the two.
  bool server = false;
  bool client = false;
  Validity validity;
};

// A new key pair and its certificate, issued by `ca`.
//   INVALID_ARGUMENT BAD_CERTIFICATE_REQUEST: an empty list, a malformed address or name
//   FAILED_PRECONDITION BAD_CA: `ca` isn't the PEM of a key and its certificate
absl::StatusOr<KeyAndCertificate> IssueCertificate(const KeyAndCertificate& ca,
                                                   const LeafRequest& request);

// When the (first) certificate of a PEM file ends: for warnings before it does.
//   INVALID_ARGUMENT BAD_CERTIFICATE
absl::StatusOr<absl::Time> CertificateNotAfter(absl::string_view certificate_pem);

}  // namespace bellwire

#endif  // BELLWIRE_CRYPTO_CERTIFICATES_H_
