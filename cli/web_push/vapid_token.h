#ifndef BELLWIRE_CLI_WEB_PUSH_VAPID_TOKEN_H_
#define BELLWIRE_CLI_WEB_PUSH_VAPID_TOKEN_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace bellwire::cli {

// Who sends a Web Push (RFC 8292).
struct VapidSigner {
  // PKCS #8, P-256.
  std::string private_key_pem;
  // Whom the push service may write to: "mailto:…" or "https://…".
  std::string subject;
};

// The field `Authorization` of a push to the service at `audience`, an origin such as
// "https://push.example.com". Good for 12 hours from `now`. Thread-safe.
//   INVALID_ARGUMENT: the key is not the PEM of a private P-256 key
absl::StatusOr<std::string> SignVapid(const VapidSigner& signer, const std::string& audience,
                                      absl::Time now);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_WEB_PUSH_VAPID_TOKEN_H_
