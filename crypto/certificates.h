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

// A self-signed CA that may issue leaf certificates only (path length 0). With `key_pem` it is of
// that key, and what an earlier CA of the same name and key issued stays valid under it; otherwise
// of a new one.
//   INVALID_ARGUMENT BAD_CERTIFICATE_REQUEST: common name not 1 to 64 bytes, or no time between the
//   ends · FAILED_PRECONDITION BAD_PRIVATE_KEY: `key_pem` isn't the PEM of a P-256 key
absl::StatusOr<KeyAndCertificate> MakeCertificateAuthority(absl::string_view common_name,
                                                           const Validity& validity,
                                                           absl::string_view key_pem = "");

struct LeafRequest {
  // For people; names are checked against the lists below. 1 to 64 bytes.
  std::string common_name;
  // Host names, and IPv4 or IPv6 addresses in text form: at least one of either.
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
  // Of 1 to 128 printable characters of ASCII without a space.
  std::vector<std::string> uris;
  // What the key may be used for (extended key usage): at least one of the two.
  bool server = false;
  bool client = false;
  Validity validity;
};

// A key pair and its certificate, issued by `ca`: a new pair, or that of `key_pem` (peers may have
// pinned it).
//   INVALID_ARGUMENT BAD_CERTIFICATE_REQUEST: an empty list, a malformed address or name; it would
//   outlive its CA
//   FAILED_PRECONDITION BAD_CA: `ca` isn't the PEM of a key and its certificate · BAD_PRIVATE_KEY:
//   `key_pem` isn't the PEM of a P-256 key
absl::StatusOr<KeyAndCertificate> IssueCertificate(const KeyAndCertificate& ca,
                                                   const LeafRequest& request,
                                                   absl::string_view key_pem = "");

// What the (first) certificate of a PEM file says.
struct CertificateFacts {
  // Its subject alternative names.
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
  std::vector<std::string> uris;
  // Of its subject; empty: it has none.
  std::string common_name;
  absl::Time not_before;
  absl::Time not_after;
  // SHA-256 of its SubjectPublicKeyInfo in lower-case hex: what `bellwire-agent --pin` takes.
  std::string pin;
};
//   INVALID_ARGUMENT BAD_CERTIFICATE
absl::StatusOr<CertificateFacts> ReadCertificateFacts(absl::string_view certificate_pem);

// Whether the (first) certificate of a PEM file is good at this time. TLS would refuse another one
// at every connection, and say so to nobody. `path` is for the message.
//   FAILED_PRECONDITION BAD_CERTIFICATE, CERTIFICATE_EXPIRED, CERTIFICATE_NOT_YET_VALID
absl::Status CheckCertificateTimes(absl::string_view certificate_pem, absl::string_view path,
                                   absl::Time now);

// Whether the key of `ca_pem` has signed `certificate_pem`, in its name. False for what isn't PEM.
bool IsIssuedBy(absl::string_view certificate_pem, absl::string_view ca_pem);
// Whether `key_pem` is the private key of `certificate_pem`. False for what isn't PEM.
bool IsPair(absl::string_view certificate_pem, absl::string_view key_pem);

// When the (first) certificate of a PEM file ends: for warnings before it does.
//   INVALID_ARGUMENT BAD_CERTIFICATE
absl::StatusOr<absl::Time> CertificateNotAfter(absl::string_view certificate_pem);

}  // namespace bellwire

#endif  // BELLWIRE_CRYPTO_CERTIFICATES_H_
