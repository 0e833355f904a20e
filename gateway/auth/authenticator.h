#ifndef BELLWIRE_GATEWAY_AUTH_AUTHENTICATOR_H_
#define BELLWIRE_GATEWAY_AUTH_AUTHENTICATOR_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/public_urls.h"
#include "gateway/auth/expiring_cache.h"
#include "gateway/auth/key_cache.h"

namespace bellwire::gateway {

// Whom a credential speaks for, and how long that is to be believed without asking again.
struct ProviderIdentity {
  std::string team_id;
  // Of a JWT: which key signed it.
  std::string key_id;
  // It may send, and look up messages that it can name; nothing else.
  bool send_only = false;
  // As the team has it (admin.proto, Team).
  bool apns_store_one = false;
  // The credential is too old from here on (wall time).
  absl::Time expires_at;
  // Its key must be looked up again from here on.
  MonotonicTime recheck_at;

  bool IsFresh(const Clock& clock) const {
    return clock.WallNow() < expires_at && clock.Monotonic() < recheck_at;
  }
};

// Tells by its JWT, or by its access token, which team calls. A JWT that was verified is remembered
// by its hash until it expires or its key is due to be looked up again, so that a provider that
// sends a lot with one JWT costs one ECDSA verification every kKeyFreshness.
//
// Thread-safe. Must outlive its callbacks; touches nothing of itself after a callback.
class Authenticator {
 public:
  // Called exactly once, on any thread, possibly before Authenticate returns. Errors:
  //   UNAUTHENTICATED BAD_CREDENTIAL, EXPIRED_CREDENTIAL, and those of KeyCache
  using Done = absl::AnyInvocable<void(absl::StatusOr<ProviderIdentity>) &&>;

  // Neither is owned; both outlive the authenticator. A JWT that has an `aud` must name one of
  // `public_urls`.
  Authenticator(KeyCache* keys, const Clock* clock, PublicUrls public_urls = {});
  Authenticator(const Authenticator&) = delete;
  Authenticator& operator=(const Authenticator&) = delete;

  void Authenticate(absl::string_view credential, Done done);

 private:
  void AuthenticateAccessToken(absl::string_view token, Done done);

  using Digest = std::array<uint8_t, 32>;

  KeyCache* const keys_;
  const Clock* const clock_;
  const PublicUrls public_urls_;
  absl::Mutex mu_;
  // By the SHA-256 of the whole JWT: who reads our memory finds no credential here.
  ExpiringCache<Digest, ProviderIdentity> verified_ ABSL_GUARDED_BY(mu_);
};

//   PERMISSION_DENIED SEND_ONLY_CREDENTIAL: `identity` may only send, and this is something else
absl::Status RequireFullAccess(const ProviderIdentity& identity);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_AUTH_AUTHENTICATOR_H_
