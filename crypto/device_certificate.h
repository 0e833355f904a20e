#ifndef BELLWIRE_CRYPTO_DEVICE_CERTIFICATE_H_
#define BELLWIRE_CRYPTO_DEVICE_CERTIFICATE_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/ids.h"
#include "crypto/openssl_ptr.h"

// Device certificates: an authority's word for a device's key. A device shows one where others show
// an enrolment token (crypto/enrolment_token.h), as one line:
//
//   bwc_ CERTIFICATE      "bwc_", and the DER of an X.509 certificate in base64url without padding
//
// The certificate's key is the device's own, which the login proves. So it is no secret, and good
// for this device alone.
namespace bellwire {

using X509StorePtr = OpenSslPtr<X509_STORE, X509_STORE_free>;

// The longest line: a certificate of a P-256 key has about 600 characters, of an authority with an
// RSA key of 4,096 bits about 1,500.
inline constexpr size_t kMaxDeviceCertificateChars = 4096;

// Whether what a device shows means to be a certificate, well-formed or not. Pure.
bool LooksLikeDeviceCertificate(absl::string_view shown);

// The line of the first certificate in a PEM file. Pure.
//   INVALID_ARGUMENT BAD_DEVICE_CERTIFICATE: there is none, it is too long, or its key is no P-256
//   one, as devices have
absl::StatusOr<std::string> DeviceCertificateLine(absl::string_view pem);

// Whoever signs device certificates. Immutable and thread-safe.
class DeviceAuthority {
 public:
  // The certificates of one or more authorities, in PEM. `path` is for the message.
  //   FAILED_PRECONDITION BAD_DEVICE_CA: there is none in it, or one of them is no authority's
  static absl::StatusOr<std::shared_ptr<const DeviceAuthority>> FromPem(absl::string_view pem,
                                                                        absl::string_view path);

  // OK, with the serial number in lower-case hex, if one of the authorities signed the certificate,
  // for this device's key, and both are good at this time. About 100 µs of CPU time; next to none
  // for a certificate of another key, as anybody without a certificate has.
  //   UNAUTHENTICATED BAD_ENROLMENT: the message says what is wrong
  absl::StatusOr<std::string> Check(absl::string_view shown, const DeviceId& device,
                                    absl::Time now) const;

 private:
  explicit DeviceAuthority(X509StorePtr store) : store_(std::move(store)) {}

  const X509StorePtr store_;
};

}  // namespace bellwire

#endif  // BELLWIRE_CRYPTO_DEVICE_CERTIFICATE_H_
