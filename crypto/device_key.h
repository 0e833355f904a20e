#ifndef BELLWIRE_CRYPTO_DEVICE_KEY_H_
#define BELLWIRE_CRYPTO_DEVICE_KEY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/ids.h"
#include "crypto/openssl_ptr.h"

// A device is its P-256 key pair: the agent's half (DeviceKey) and the connector's (DeviceIdOf,
// VerifyLogin). What is signed is fixed by bellwire.device.v1.Login.
namespace bellwire {

// The DER SubjectPublicKeyInfo of a P-256 key with an uncompressed point: there is no other
// encoding of it, so a key has one device id.
inline constexpr size_t kDevicePublicKeyBytes = 91;
// RFC 9266, tls-exporter.
inline constexpr size_t kTlsExporterBytes = 32;

// Immutable and thread-safe.
class DeviceKey {
 public:
  //   INTERNAL: OpenSSL can't
  static absl::StatusOr<std::unique_ptr<DeviceKey>> Generate();

  // Reads the key (PKCS #8 PEM, 0600), or makes and writes one if there is no such file.
  //   FAILED_PRECONDITION BAD_DEVICE_KEY: not the PEM of a P-256 key; errors of crypto/file_util.h
  static absl::StatusOr<std::unique_ptr<DeviceKey>> LoadOrCreate(const std::string& path);

  DeviceKey(const DeviceKey&) = delete;
  DeviceKey& operator=(const DeviceKey&) = delete;

  // kDevicePublicKeyBytes of DER.
  const std::string& public_key_der() const { return public_key_der_; }
  const DeviceId& device_id() const { return device_id_; }

  // Login.signature for the TLS connection with this exporter value.
  //   INVALID_ARGUMENT: `tls_exporter` isn't kTlsExporterBytes long
  absl::StatusOr<std::string> SignLogin(absl::string_view tls_exporter,
                                        uint64_t login_number) const;

  // 32 bytes that only who has the private key can come to: HMAC-SHA256 of `purpose`, keyed with
  // it. The same key and purpose give the same bytes. INTERNAL: OpenSSL can't.
  absl::StatusOr<std::string> DeriveSecret(absl::string_view purpose) const;

 private:
  DeviceKey(EvpPkeyPtr key, std::string public_key_der, const DeviceId& device_id);
  static absl::StatusOr<std::unique_ptr<DeviceKey>> FromKey(EvpPkeyPtr key);

  const EvpPkeyPtr key_;
  const std::string public_key_der_;
  const DeviceId device_id_;
};

// The id of the device with this public key. Doesn't parse the key: for one that VerifyLogin took,
// or for a resumed session, whose ticket says whose it is.
//   INVALID_ARGUMENT BAD_PUBLIC_KEY: not kDevicePublicKeyBytes long
absl::StatusOr<DeviceId> DeviceIdOf(absl::string_view public_key_der);

// OK if `signature` proves the possession of the key on this very TLS connection. Thread-safe;
// about 50 µs of CPU time, whatever the bytes.
//   INVALID_ARGUMENT BAD_PUBLIC_KEY: not a P-256 key in the one encoding we take
//   INVALID_ARGUMENT: `tls_exporter` isn't kTlsExporterBytes long
//   UNAUTHENTICATED BAD_SIGNATURE
absl::Status VerifyLogin(absl::string_view public_key_der, absl::string_view tls_exporter,
                         uint64_t login_number, absl::string_view signature);

}  // namespace bellwire

#endif  // BELLWIRE_CRYPTO_DEVICE_KEY_H_
