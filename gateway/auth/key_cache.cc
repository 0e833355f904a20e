#include "gateway/auth/key_cache.h"

#include <utility>

#include "common/error.h"
#include "common/limits.h"
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

KeyCache::KeyCache(KeysApi* keys, const Clock* clock)
    : keys_api_(keys), clock_(clock), keys_(kMaxCachedKeys), unknown_(kMaxCachedUnknownKeys) {}

void KeyCache::Get(absl::string_view key_id, Done done) {
  const MonotonicTime now = clock_->Monotonic();
  KeyOrError known = std::shared_ptr<const KnownKey>();
  {
    absl::MutexLock lock(&mu_);
    // A key of ours that grew old. Anybody can make up the others.
    const bool renewal = keys_.Contains(key_id);
    size_t& waiters = renewal ? renewal_waiters_ : waiters_;
    if (const auto* key = keys_.Find(key_id, now)) {
      known = *key;
    } else if (const absl::Status* why = unknown_.Find(key_id, now)) {
      known = *why;
    } else if (waiters >= kMaxKeyWaiters) {
      known = Overloaded("calls that wait for their signing key");
    } else if (const auto fetch = fetches_.find(key_id); fetch != fetches_.end()) {
      fetch->second.waiting.push_back(std::move(done));
      ++(fetch->second.renewal ? renewal_waiters_ : waiters_);
      return;
    } else if (!renewal && first_fetches_ >= kMaxKeyFetches) {
      known = Overloaded("look-ups of signing keys");
    } else {
      Fetch& begun = fetches_[std::string(key_id)];
      begun.renewal = renewal;
      begun.waiting.push_back(std::move(done));
      ++waiters;
      if (!renewal) ++first_fetches_;
    }
  }
  const bool fetch = known.ok() && *known == nullptr;
  if (!fetch) {
    std::move(done)(std::move(known));
    return;
  }

  internal::v1::GetKeyRequest request;
  request.set_key_id(std::string(key_id));
  keys_api_->GetKey(std::move(request), [this, id = std::string(key_id),
                                         began = now](absl::StatusOr<admin::v1::Key> fetched) {
    OnFetched(id, began, std::move(fetched));
  });
}

void KeyCache::OnFetched(const std::string& key_id, MonotonicTime began,
                         absl::StatusOr<admin::v1::Key> fetched) {
  const KeyOrError key = Interpret(std::move(fetched), began);
  std::vector<Done> waiting;
  {
    absl::MutexLock lock(&mu_);
    if (key.ok()) {
      keys_.Put(key_id, *key, (*key)->fresh_until);
    } else if (absl::IsUnauthenticated(key.status())) {
      unknown_.Put(key_id, key.status(), clock_->Monotonic() + kMaxUnknownKeyAge);
    }
    const auto fetch = fetches_.find(key_id);
    waiting = std::move(fetch->second.waiting);
    const bool renewal = fetch->second.renewal;
    fetches_.erase(fetch);
    (renewal ? renewal_waiters_ : waiters_) -= waiting.size();
    if (!renewal) --first_fetches_;
  }
  for (Done& done : waiting) std::move(done)(key);
}

}  // namespace bellwire::gateway
