#ifndef BELLWIRE_GATEWAY_DOORS_FCM_TOKEN_DOOR_H_
#define BELLWIRE_GATEWAY_DOORS_FCM_TOKEN_DOOR_H_

#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "gateway/doors/fcm/fcm_credential.h"
#include "gateway/doors/http/route.h"
#include "gateway/doors/http/whole_body.h"

namespace bellwire::gateway::fcm {

// As kTokenPaths (gateway/auth/service_account.h).
inline constexpr http::Route kTokenRoutes[] = {
    {"POST", "/oauth2/token"},
    {"POST", "/token"},
    {"POST", "/oauth2/v4/token"},
};

// The token endpoint of service accounts: POST /oauth2/token, and where Google's is, for clients
// that know no `token_uri` (docs/reference/fcm.md). Thread-safe.
class TokenDoor final : public http::WholeBodyDoor {
 public:
  // Not owned; it outlives the door.
  explicit TokenDoor(FcmCredentials* credentials) : credentials_(credentials) {}
  ~TokenDoor() override { AwaitNoCalls(); }

  bool Matches(const http::RequestHead& head) const override;
  absl::Span<const http::Route> Routes() const override { return kTokenRoutes; }

 private:
  size_t MaxBodyBytes(const http::RequestHead& head) const override;
  std::optional<http::Reply> Refuse(const http::RequestHead& head) const override;
  void Serve(http::Request request, http::Responder responder) override;
  http::Reply Error(const http::RequestHead& head, int status,
                    const absl::Status& why) const override;

  FcmCredentials* const credentials_;
};

}  // namespace bellwire::gateway::fcm

#endif  // BELLWIRE_GATEWAY_DOORS_FCM_TOKEN_DOOR_H_
