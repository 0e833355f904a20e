#ifndef BELLWIRE_GATEWAY_DOORS_FCM_FCM_CREDENTIAL_H_
#define BELLWIRE_GATEWAY_DOORS_FCM_FCM_CREDENTIAL_H_

#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/public_urls.h"
#include "crypto/token_sealer.h"
#include "gateway/auth/authenticator.h"
#include "gateway/auth/key_cache.h"
#include "gateway/doors/http/header_list.h"

namespace bellwire::gateway::fcm {

// Who calls the FCM door. A service account (a key of kind FCM) signs an assertion; the token
// endpoint exchanges it for an access token, which every call carries. The token is sealed and
// nowhere stored: it says whose key it was given for and until when, so every gateway takes it, and
// it dies with the key. No other door takes it. What the other doors take (a JWT, a send-only
// token) this one takes too.
//
// Thread-safe. Must outlive its callbacks; touches nothing of itself after a callback.
class FcmCredentials {
 public:
  // Not owned; they outlive this.
  struct Environment {
    KeyCache* keys = nullptr;
    Authenticator* authenticator = nullptr;
    const TokenSealer* sealer = nullptr;
    const Clock* clock = nullptr;
    // Where assertions may be meant for.
    PublicUrls public_urls;
  };
  struct AccessToken {
    std::string text;
    // Whole seconds, at least one.
    absl::Duration lifetime;
  };

  explicit FcmCredentials(Environment environment) : environment_(std::move(environment)) {}

  // Exchanges an assertion for an access token, which is good as long as the assertion, an hour at
  // most. Called exactly once, on any thread, possibly before Exchange returns. Errors:
  //   UNAUTHENTICATED BAD_CREDENTIAL · INVALID_ARGUMENT BAD_SCOPE, and those of KeyCache
  void Exchange(absl::string_view assertion,
                absl::AnyInvocable<void(absl::StatusOr<AccessToken>) &&> done);

  // Who calls `project` with these headers. Errors:
  //   UNAUTHENTICATED MISSING_CREDENTIAL, BAD_CREDENTIAL, EXPIRED_CREDENTIAL
  //   PERMISSION_DENIED WRONG_PROJECT: it is another team's. Empty: whichever is the caller's.
  // and those of KeyCache
  void Authenticate(const http::HeaderList& headers, absl::string_view project,
                    Authenticator::Done done);

 private:
  void AuthenticateAccessToken(absl::string_view sealed, Authenticator::Done done);

  const Environment environment_;
};

// Whether one of the scopes, with spaces between, is for FCM.
bool HasFcmScope(absl::string_view scopes);

}  // namespace bellwire::gateway::fcm

#endif  // BELLWIRE_GATEWAY_DOORS_FCM_FCM_CREDENTIAL_H_
