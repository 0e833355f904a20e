#ifndef BELLWIRE_GATEWAY_AUTH_KEY_CACHE_H_
#define BELLWIRE_GATEWAY_AUTH_KEY_CACHE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "common/clock.h"
#include "gateway/auth/expiring_cache.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// A key is looked up again when it is this old: a revocation bites within that time, and the call
// to the registry, at every gateway and on every open stream. Shorter costs a look-up more often
// for each key that is in use.
inline constexpr absl::Duration kKeyFreshness = absl::Seconds(4);

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
// flight.
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
  //   in
  //     flight; or kMaxKeyWaiters wait for ids of its kind
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::shared_ptr<const KnownKey>>) &&>;

  // Neither is owned; both outlive the cache.
  KeyCache(KeysApi* keys, const Clock* clock);
  KeyCache(const KeyCache&) = delete;
  KeyCache& operator=(const KeyCache&) = delete;

  void Get(absl::string_view key_id, Done done);

 private:
  struct Fetch {
    // It was a key before.
    bool renewal = false;
    std::vector<Done> waiting;
  };

  void OnFetched(const std::string& key_id, MonotonicTime began,
                 absl::StatusOr<admin::v1::Key> fetched);

  KeysApi* const keys_api_;
  const Clock* const clock_;
  absl::Mutex mu_;
  ExpiringCache<std::string, std::shared_ptr<const KnownKey>> keys_ ABSL_GUARDED_BY(mu_);
  // Why it is no key.
  ExpiringCache<std::string, absl::Status> unknown_ ABSL_GUARDED_BY(mu_);
  // By the key id that is being fetched.
  absl::flat_hash_map<std::string, Fetch> fetches_ ABSL_GUARDED_BY(mu_);
  // Fetches that are no renewals.
  size_t first_fetches_ ABSL_GUARDED_BY(mu_) = 0;
  // Who waits for renewals, and for the others.
  size_t renewal_waiters_ ABSL_GUARDED_BY(mu_) = 0;
  size_t waiters_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_AUTH_KEY_CACHE_H_
