#include "gateway/auth/key_cache.h"

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/error.h"
#include "common/limits.h"
#include "gateway/auth/expiring_cache.h"
#include "gateway/send/registry_error.h"

namespace bellwire::gateway {
namespace {

using KeyOrError = absl::StatusOr<std::shared_ptr<const KnownKey>>;

KeyOrError Interpret(absl::StatusOr<admin::v1::Key> fetched, MonotonicTime began) {
  if (absl::IsNotFound(fetched.status())) {
    return MakeError(absl::StatusCode::kUnauthenticated, "BAD_CREDENTIAL",
                     "There is no key of the id that the credential names.");
  }
  if (!fetched.ok()) return FromRegistryError(fetched.status());
  if (fetched->has_revoke_time()) {
    return MakeError(absl::StatusCode::kUnauthenticated, "BAD_CREDENTIAL",
                     "The key that the credential names was revoked.");
  }
  auto key = std::make_shared<KnownKey>();
  key->kind = fetched->kind();
  key->team_id = std::move(*fetched->mutable_team_id());
  key->public_key_pem = std::move(*fetched->mutable_public_key_pem());
  key->token_sha256 = std::move(*fetched->mutable_token_sha256());
  key->device_token = std::move(*fetched->mutable_device_token());
  key->apns_store_one = fetched->apns_store_one();
  key->fresh_until = began + kKeyFreshness;
  return KeyOrError(std::move(key));
}

}  // namespace

// All but the constants is guarded by the mutex.
struct KeyCache::State {
  struct Entry {
    std::shared_ptr<const KnownKey> key;
    // Who asks from here on has it looked up ahead.
    MonotonicTime refresh_at;
  };
  struct Waiting {
    // It was a key before.
    bool renewal = false;
    std::vector<Done> dones;
  };

  explicit State(const Clock* c) : clock(c), keys(kMaxCachedKeys), unknown(kMaxCachedUnknownKeys) {}

  // Whether `entry` is to be looked up ahead now. Then it is noted as being fetched.
  bool BeginAhead(absl::string_view key_id, const Entry& entry, MonotonicTime now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    if (now < entry.refresh_at || fetches.contains(key_id)) return false;
    fetches[std::string(key_id)].renewal = true;
    return true;
  }

  const Clock* const clock;
  absl::Mutex mu;
  ExpiringCache<std::string, Entry> keys ABSL_GUARDED_BY(mu);
  // Why it is no key.
  ExpiringCache<std::string, absl::Status> unknown ABSL_GUARDED_BY(mu);
  // By the key id that is being fetched.
  absl::flat_hash_map<std::string, Waiting> fetches ABSL_GUARDED_BY(mu);
  // Fetches that are no renewals.
  size_t first_fetches ABSL_GUARDED_BY(mu) = 0;
  // Who waits for renewals, and for the others.
  size_t renewal_waiters ABSL_GUARDED_BY(mu) = 0;
  size_t waiters ABSL_GUARDED_BY(mu) = 0;
};

KeyCache::KeyCache(KeysApi* keys, const Clock* clock)
    : keys_api_(keys), state_(std::make_shared<State>(clock)) {}

void KeyCache::Get(absl::string_view key_id, Done done) {
  State& state = *state_;
  const MonotonicTime now = state.clock->Monotonic();
  KeyOrError known = std::shared_ptr<const KnownKey>();
  bool ahead = false;
  {
    absl::MutexLock lock(&state.mu);
    // A key of ours that grew old. Anybody can make up the others.
    const bool renewal = state.keys.Contains(key_id);
    size_t& waiters = renewal ? state.renewal_waiters : state.waiters;
    if (const State::Entry* entry = state.keys.Find(key_id, now)) {
      known = entry->key;
      ahead = state.BeginAhead(key_id, *entry, now);
    } else if (const absl::Status* why = state.unknown.Find(key_id, now)) {
      known = *why;
    } else if (waiters >= kMaxKeyWaiters) {
      known = Overloaded("calls that wait for their signing key");
    } else if (const auto fetch = state.fetches.find(key_id); fetch != state.fetches.end()) {
      fetch->second.dones.push_back(std::move(done));
      ++(fetch->second.renewal ? state.renewal_waiters : state.waiters);
      return;
    } else if (!renewal && state.first_fetches >= kMaxKeyFetches) {
      known = Overloaded("look-ups of signing keys");
    } else {
      State::Waiting& begun = state.fetches[std::string(key_id)];
      begun.renewal = renewal;
      begun.dones.push_back(std::move(done));
      ++waiters;
      if (!renewal) ++state.first_fetches;
    }
  }
  const bool fetch = known.ok() && *known == nullptr;
  if (fetch) return Fetch(key_id, now, /*ahead=*/false);
  if (ahead) Fetch(key_id, now, /*ahead=*/true);
  std::move(done)(std::move(known));
}

void KeyCache::Use(absl::string_view key_id) {
  State& state = *state_;
  const MonotonicTime now = state.clock->Monotonic();
  {
    absl::MutexLock lock(&state.mu);
    const State::Entry* const entry = state.keys.Find(key_id, now);
    if (entry == nullptr || !state.BeginAhead(key_id, *entry, now)) return;
  }
  Fetch(key_id, now, /*ahead=*/true);
}

void KeyCache::Fetch(absl::string_view key_id, MonotonicTime began, bool ahead) {
  internal::v1::GetKeyRequest request;
  request.set_key_id(std::string(key_id));
  // Whoever waits keeps the cache; a look-up ahead finds it gone.
  std::weak_ptr<State> weak;
  if (ahead) weak = state_;
  keys_api_->GetKey(std::move(request), [state = state_.get(), ahead, weak = std::move(weak),
                                         id = std::string(key_id),
                                         began](absl::StatusOr<admin::v1::Key> fetched) {
    const std::shared_ptr<State> kept = weak.lock();
    if (!ahead || kept != nullptr) OnFetched(state, id, began, std::move(fetched));
  });
}

void KeyCache::OnFetched(State* state, const std::string& key_id, MonotonicTime began,
                         absl::StatusOr<admin::v1::Key> fetched) {
  const KeyOrError key = Interpret(std::move(fetched), began);
  std::vector<Done> waiting;
  {
    absl::MutexLock lock(&state->mu);
    const MonotonicTime now = state->clock->Monotonic();
    const State::Entry* const before = state->keys.Find(key_id, now);
    if (key.ok()) {
      state->keys.Put(key_id, {*key, began + kKeyRefreshAge}, (*key)->fresh_until);
    } else if (absl::IsUnauthenticated(key.status())) {
      state->unknown.Put(key_id, key.status(), now + kMaxUnknownKeyAge);
      // It still counts as one that was a key.
      if (before != nullptr) state->keys.Put(key_id, State::Entry(*before), now);
    } else if (before != nullptr) {
      const State::Entry again = {before->key, now + kKeyRefreshRetry};
      state->keys.Put(key_id, again, again.key->fresh_until);
    }
    const auto fetch = state->fetches.find(key_id);
    waiting = std::move(fetch->second.dones);
    const bool renewal = fetch->second.renewal;
    state->fetches.erase(fetch);
    (renewal ? state->renewal_waiters : state->waiters) -= waiting.size();
    if (!renewal) --state->first_fetches;
  }
  for (Done& done : waiting) std::move(done)(key);
}

}  // namespace bellwire::gateway
