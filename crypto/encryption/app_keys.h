#ifndef BELLWIRE_CRYPTO_ENCRYPTION_APP_KEYS_H_
#define BELLWIRE_CRYPTO_ENCRYPTION_APP_KEYS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "crypto/encryption/aes128gcm.h"
#include "crypto/openssl_ptr.h"

namespace bellwire {

// With what one app on one phone reads its encrypted messages: a P-256 key and an authentication
// secret, made there. Immutable and thread-safe.
class AppKeys {
 public:
  //   INTERNAL: OpenSSL can't
  static absl::StatusOr<std::unique_ptr<AppKeys>> Generate();

  // Reads the file (0600), or makes keys and writes it if there is none.
  //   FAILED_PRECONDITION BAD_APP_KEYS: the file is damaged; errors of crypto/file_util.h
  static absl::StatusOr<std::unique_ptr<AppKeys>> LoadOrCreate(const std::string& path);

  // Makes new keys in the place of those in the file, which nothing can be decrypted with any more.
  // Errors of crypto/file_util.h: the file is as it was.
  static absl::StatusOr<std::unique_ptr<AppKeys>> Replace(const std::string& path);

  // The contents of the file: a PKCS #8 PEM, then a line with the secret in base64url.
  //   INVALID_ARGUMENT BAD_APP_KEYS: not what Format makes
  static absl::StatusOr<std::unique_ptr<AppKeys>> Parse(absl::string_view contents);
  std::string Format() const;

  AppKeys(const AppKeys&) = delete;
  AppKeys& operator=(const AppKeys&) = delete;
  ~AppKeys();

  // For the app's backend. The secret in it is one.
  const Recipient& recipient() const { return recipient_; }

  // The text of a payload. REQUIRES: IsEncryptedPayload(payload). Errors of DecryptAes128gcm.
  absl::StatusOr<std::string> Decrypt(absl::string_view payload) const;

 private:
  AppKeys(EvpPkeyPtr key, std::string auth_secret);

  const EvpPkeyPtr key_;
  Recipient recipient_;
};

}  // namespace bellwire

#endif  // BELLWIRE_CRYPTO_ENCRYPTION_APP_KEYS_H_
