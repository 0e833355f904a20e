#ifndef BELLWIRE_GATEWAY_SEND_QUOTA_HOLDS_H_
#define BELLWIRE_GATEWAY_SEND_QUOTA_HOLDS_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "gateway/auth/expiring_cache.h"

namespace bellwire::gateway {

// A refusal for a quota is repeated at the gateway for so long at most: until then a quota that was
// raised may not hold here.
inline constexpr absl::Duration kMaxQuotaHold = absl::Seconds(1);
// Teams whose refusals are remembered: all that can overdo it within a second.
inline constexpr size_t kMaxQuotaHolds = 4096;

// Teams that the registry has just refused something for their quota. What they send meanwhile is
// refused here, with the same words: so a team that overdoes it costs the registry next to nothing.
// Thread-safe.
class QuotaHolds {
 public:
  // `clock` outlives this.
  explicit QuotaHolds(const Clock* clock) : clock_(clock), holds_(kMaxQuotaHolds) {}

  // What the registry answered a team. Nothing happens unless it is about the quota of the team as
  // a whole, and messages a second or a day: others of its messages may pass any other limit.
  void Note(absl::string_view team_id, const absl::Status& answer);
  // nullopt: the registry is to be asked. RetryInfo says what is left.
  std::optional<absl::Status> Find(absl::string_view team_id);

 private:
  struct Hold {
    absl::Status status;
    MonotonicTime retry_at;
  };

  const Clock* const clock_;
  absl::Mutex mu_;
  ExpiringCache<std::string, Hold> holds_ ABSL_GUARDED_BY(mu_);
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_SEND_QUOTA_HOLDS_H_
