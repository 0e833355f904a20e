#ifndef BELLWIRE_GATEWAY_AUTH_KEY_CACHE_H_
#define BELLWIRE_GATEWAY_AUTH_KEY_CACHE_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "common/clock.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// A key is looked up again when it is this old: a revocation bites within that time, and the call
// to the registry, at every gateway and on every open stream. Shorter costs a look-up more often
// for each key that is in use.
inline constexpr absl::Duration kKeyFreshness = absl::Seconds(4);
// One that is in use is looked up ahead of that, at this age, while it is still good: so no call
// waits for a key that was known.
inline constexpr absl::Duration kKeyRefreshAge = absl::Seconds(2);
// A look-up ahead that failed is repeated after so long, as long as the key is good.
inline constexpr absl::Duration kKeyRefreshRetry = absl::Milliseconds(500);

// A team's key of whatever kind, as the registry knew it less than kKeyFreshness ago. The fields
// that its kind doesn't have are empty (admin.proto, Key).
struct KnownKey {
  admin::v1::Key::Kind kind = admin::v1::Key::SIGNING;
  std::string team_id;
  std::string public_key_pem;
  std::string token_sha256;
  std::string device_token;
  // As its team has it (admin.proto, Team).
  bool apns_store_one = false;
  // Ask again from here on: it may have been revoked.
  MonotonicTime fresh_until;
};

// Keys by key id (the `kid` of a JWT), fetched from the registry and kept for kKeyFreshness,
// counted from when the fetch began: a key that is revoked is refused at most that long after. Ids
// that are no key are remembered too, apart and shortly. However many ask, one fetch per id is in
// flight. A key that is asked for from kKeyRefreshAge on is fetched in the background, while
// whoever asks is answered: so a key that is in use never keeps anybody waiting.
//
// Anybody can make up key ids. An id that was a key before is fetched again whatever else is being
// fetched: it is only the others that share kMaxKeyFetches, and their calls kMaxKeyWaiters.
//
// Thread-safe. Must outlive its callbacks; touches nothing of itself after the last of them.
class KeyCache {
 public:
  // Called exactly once, on any thread, possibly before Get returns. Errors:
  //   UNAUTHENTICATED BAD_CREDENTIAL: no such key, or it was revoked
  //   UNAVAILABLE REGISTRY_UNAVAILABLE: the registry does not answer
  //   RESOURCE_EXHAUSTED OVERLOADED: the id was no key so far and kMaxKeyFetches of that kind are
  //     in flight; or kMaxKeyWaiters wait for ids of its kind
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::shared_ptr<const KnownKey>>) &&>;

  // Neither is owned; both outlive the cache.
  KeyCache(KeysApi* keys, const Clock* clock);
  KeyCache(const KeyCache&) = delete;
  KeyCache& operator=(const KeyCache&) = delete;

  void Get(absl::string_view key_id, Done done);
  // Somebody who was answered before still uses this key: it is looked up ahead if it is old
  // enough.
  void Use(absl::string_view key_id);

 private:
  // Outlives the cache where a look-up ahead is in flight, which nobody waits for.
  struct State;

  void Fetch(absl::string_view key_id, MonotonicTime began, bool ahead);
  static void OnFetched(State* state, const std::string& key_id, MonotonicTime began,
                        absl::StatusOr<admin::v1::Key> fetched);

  KeysApi* const keys_api_;
  const std::shared_ptr<State> state_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_AUTH_KEY_CACHE_H_
