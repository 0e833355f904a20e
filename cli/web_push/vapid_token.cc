#include "cli/web_push/vapid_token.h"

#include <jwt.h>
#include <stdlib.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "crypto/encryption/aes128gcm.h"
#include "crypto/p256.h"

namespace bellwire::cli {

absl::StatusOr<std::string> SignVapid(const VapidSigner& signer, const std::string& audience,
                                      absl::Time now) {
  jwt_t* raw = nullptr;
  if (jwt_new(&raw) != 0) return absl::ResourceExhaustedError("no memory for a JWT");
  const std::unique_ptr<jwt_t, decltype(&jwt_free)> jwt(raw, &jwt_free);
  const std::string& pem = signer.private_key_pem;
  const EvpPkeyPtr key = ParsePrivateKeyPem(pem);
  std::unique_ptr<char, decltype(&free)> encoded(nullptr, &free);
  if (key != nullptr && IsP256(key.get()) &&
      jwt_set_alg(jwt.get(), JWT_ALG_ES256, reinterpret_cast<const unsigned char*>(pem.data()),
                  static_cast<int>(pem.size())) == 0 &&
      jwt_add_grant(jwt.get(), "aud", audience.c_str()) == 0 &&
      jwt_add_grant_int(jwt.get(), "exp", absl::ToUnixSeconds(now + absl::Hours(12))) == 0 &&
      jwt_add_grant(jwt.get(), "sub", signer.subject.c_str()) == 0) {
    encoded.reset(jwt_encode_str(jwt.get()));
  }
  if (encoded == nullptr) {
    return absl::InvalidArgumentError("the key is not the PEM of a private P-256 key");
  }
  return absl::StrCat("vapid t=", encoded.get(),
                      ", k=", absl::WebSafeBase64Escape(PointOf(key.get())));
}

}  // namespace bellwire::cli
