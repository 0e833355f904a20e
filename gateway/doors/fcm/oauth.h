#ifndef BELLWIRE_GATEWAY_DOORS_FCM_OAUTH_H_
#define BELLWIRE_GATEWAY_DOORS_FCM_OAUTH_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/doors/http/reply.h"

// The token endpoint's side of OAuth 2.0 (RFC 6749) with assertions of service accounts (RFC 7523).
// Pure functions.
namespace bellwire::gateway::fcm {

// The longest request: an assertion of kMaxJwtBytes has no character that a form escapes.
inline constexpr size_t kMaxTokenRequestBytes = 8 * 1024;

// The assertion of a token request, which is an HTML form.
//   INVALID_ARGUMENT INVALID_REQUEST: no form, a parameter that is missing or there twice ·
//   UNSUPPORTED_GRANT_TYPE: something else than an assertion
absl::StatusOr<std::string> ReadTokenRequest(absl::string_view form);

// {"access_token":"...","expires_in":3600,"token_type":"Bearer"}, which nobody may store.
http::Reply AccessTokenReply(absl::string_view access_token, absl::Duration lifetime);

// {"error":"invalid_grant","error_description":"..."}, also of an error of HTTP itself. REQUIRES:
// !error.ok().
http::Reply OauthErrorReply(const absl::Status& error);

}  // namespace bellwire::gateway::fcm

#endif  // BELLWIRE_GATEWAY_DOORS_FCM_OAUTH_H_
