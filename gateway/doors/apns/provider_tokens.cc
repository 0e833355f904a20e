#include "gateway/doors/apns/provider_tokens.h"

#include <limits>

#include "absl/hash/hash.h"
#include "common/limits.h"

namespace bellwire::gateway::apns {
namespace {

constexpr MonotonicTime kNever =
    MonotonicTime::FromNanoseconds(std::numeric_limits<int64_t>::max());

}  // namespace

ProviderTokens::ProviderTokens(const Clock* clock)
    : clock_(clock), teams_(kMaxProviderTokenTeams) {}

std::optional<absl::Duration> ProviderTokens::Refuse(absl::string_view team_id,
                                                     absl::string_view jwt) {
  // Nobody but a holder of the team's keys can make one that collides, and it would only spare him
  // a refusal.
  const uint64_t hash = absl::HashOf(jwt);
  const MonotonicTime now = clock_->Monotonic();
  absl::MutexLock lock(&mu_);
  const std::unique_ptr<Team>* found = teams_.Find(team_id, now);
  if (found == nullptr) {
    teams_.Put(std::string(team_id), std::make_unique<Team>(), kNever);
    found = teams_.Find(team_id, now);
  }
  Team& team = **found;
  while (!team.in_order.empty() &&
         (team.in_order.size() >= kMaxKnownProviderTokens ||
          team.in_order.front().first + kMaxJwtAge + kMaxJwtClockSkew <= now)) {
    team.known.erase(team.in_order.front().second);
    team.in_order.pop_front();
  }
  if (team.known.contains(hash)) return std::nullopt;
  if (team.in_order.size() >= kMaxProviderTokensPerPeriod) {
    const MonotonicTime first =
        team.in_order[team.in_order.size() - kMaxProviderTokensPerPeriod].first;
    if (now < first + kProviderTokenPeriod) return first + kProviderTokenPeriod - now;
  }
  team.known.insert(hash);
  team.in_order.emplace_back(now, hash);
  return std::nullopt;
}

}  // namespace bellwire::gateway::apns
