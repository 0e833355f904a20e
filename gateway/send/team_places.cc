#include "gateway/send/team_places.h"

#include <algorithm>

namespace bellwire::gateway {

std::optional<TeamPlaces::Ticket> TeamPlaces::TryTake(absl::string_view team_id) {
  absl::MutexLock lock(&mutex_);
  auto it = teams_.find(team_id);
  const bool holds_none = it == teams_.end();
  const size_t held = holds_none ? 0 : it->second.taken;
  if (held >= std::min(options_.most_of_a_team, options_.places - taken_)) return std::nullopt;
  if (holds_none) {
    AdaptiveLimit::Options limit = options_.limit;
    limit.min = 1;
    it = teams_.try_emplace(std::string(team_id), limit).first;
  } else if (held >= std::max(it->second.limit.limit(), options_.limit.min / teams_.size())) {
    return std::nullopt;
  }
  ++taken_;
  ++it->second.taken;
  return Ticket(this, &*it);
}

void TeamPlaces::GiveBack(Named* team) {
  absl::MutexLock lock(&mutex_);
  --taken_;
  if (--team->second.taken == 0) teams_.erase(teams_.find(team->first));
}

}  // namespace bellwire::gateway
