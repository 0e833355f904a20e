#ifndef BELLWIRE_GATEWAY_DOORS_APNS_PROVIDER_TOKENS_H_
#define BELLWIRE_GATEWAY_DOORS_APNS_PROVIDER_TOKENS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "gateway/auth/expiring_cache.h"

namespace bellwire::gateway::apns {

// APNs lets a provider change its JWT once in this time …
inline constexpr absl::Duration kProviderTokenPeriod = absl::Minutes(20);
// … and doesn't say how many providers a team may have. Here: so many. Debian's aioapns signs one
// for each connection, which it closes after 10 s without a message, so that a small fleet of it
// makes hundreds. More is a backend that signs one for each message, which costs a verification
// each.
inline constexpr size_t kMaxProviderTokensPerPeriod = 1024;
// JWTs of one team that are known again when they come; then the oldest counts as new.
inline constexpr size_t kMaxKnownProviderTokens = 2 * kMaxProviderTokensPerPeriod;
// Teams that are counted, each in at most 64 KiB; beyond it the one that came first counts anew.
inline constexpr size_t kMaxProviderTokenTeams = 1024;

// How often each team has come with a new JWT. Thread-safe.
class ProviderTokens {
 public:
  // Not owned; outlives this.
  explicit ProviderTokens(const Clock* clock);

  // Call it with each JWT that was verified. nullopt: it may be used. Otherwise it is one too many,
  // and another one may be used after the answer.
  std::optional<absl::Duration> Refuse(absl::string_view team_id, absl::string_view jwt);

 private:
  struct Team {
    absl::flat_hash_set<uint64_t> known;
    // The same, with the time when each came first.
    std::deque<std::pair<MonotonicTime, uint64_t>> in_order;
  };

  const Clock* const clock_;
  absl::Mutex mu_;
  ExpiringCache<std::string, std::unique_ptr<Team>> teams_ ABSL_GUARDED_BY(mu_);
};

}  // namespace bellwire::gateway::apns

#endif  // BELLWIRE_GATEWAY_DOORS_APNS_PROVIDER_TOKENS_H_
