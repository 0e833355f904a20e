#include "registry/topics/fan_out_queue.h"

#include <algorithm>
#include <cassert>
#include <tuple>
#include <utility>

namespace bellwire::registry {

const FanOutQueue::FanOut* FanOutQueue::Find(absl::string_view team_id,
                                             const MessageId& message_id) const {
  const auto team = teams_.find(team_id);
  if (team == teams_.end()) return nullptr;
  const auto fan_out = team->second.fan_outs.find(message_id);
  return fan_out == team->second.fan_outs.end() ? nullptr : &fan_out->second;
}

void FanOutQueue::Add(const OpenFanOut& fan_out) {
  auto team = teams_.find(fan_out.team_id);
  if (team == teams_.end()) {
    int64_t least = INT64_MAX;
    for (const auto& [id, other] : teams_) least = std::min(least, other.served);
    team = teams_.emplace(fan_out.team_id, Team()).first;
    if (teams_.size() > 1) team->second.served = least;
  }
  const bool added =
      team->second.fan_outs.emplace(fan_out.message_id, FanOut{fan_out.created_at_ms, {}}).second;
  assert(added);
  size_ += added ? 1 : 0;
}

void FanOutQueue::Remove(absl::string_view team_id, const MessageId& message_id) {
  const auto team = teams_.find(team_id);
  if (team == teams_.end()) return;
  size_ -= team->second.fan_outs.erase(message_id);
  if (team->second.fan_outs.empty()) teams_.erase(team);
}

std::optional<OpenFanOut> FanOutQueue::Next(MonotonicTime now) const {
  std::optional<OpenFanOut> next;
  std::tuple<size_t, int64_t> least;
  for (const auto& [team_id, team] : teams_) {
    size_t held = 0;
    std::optional<OpenFanOut> oldest;
    for (const auto& [message_id, fan_out] : team.fan_outs) {
      if (IsHeld(fan_out, now)) {
        ++held;
      } else if (OpenFanOut candidate{fan_out.created_at_ms, message_id, team_id};
                 !oldest.has_value() || candidate < *oldest) {
        oldest = std::move(candidate);
      }
    }
    const std::tuple<size_t, int64_t> order(held, team.served);
    if (!oldest.has_value() || (next.has_value() && least <= order)) continue;
    least = order;
    next = std::move(oldest);
  }
  return next;
}

void FanOutQueue::Hold(absl::string_view team_id, const MessageId& message_id,
                       const std::string& gateway, MonotonicTime until) {
  const auto team = teams_.find(team_id);
  assert(team != teams_.end());
  team->second.fan_outs[message_id].claim = Claim{gateway, until};
}

void FanOutQueue::Release(absl::string_view team_id, const MessageId& message_id) {
  const auto team = teams_.find(team_id);
  if (team == teams_.end()) return;
  const auto fan_out = team->second.fan_outs.find(message_id);
  if (fan_out != team->second.fan_outs.end()) fan_out->second.claim.reset();
}

std::string FanOutQueue::Holder(absl::string_view team_id, const MessageId& message_id,
                                MonotonicTime now) const {
  const FanOut* fan_out = Find(team_id, message_id);
  return fan_out != nullptr && IsHeld(*fan_out, now) ? fan_out->claim->gateway : std::string();
}

void FanOutQueue::NoteServed(absl::string_view team_id, int64_t subscribers) {
  const auto team = teams_.find(team_id);
  if (team != teams_.end()) team->second.served += subscribers;
}

bool FanOutQueue::Has(absl::string_view team_id, const MessageId& message_id) const {
  return Find(team_id, message_id) != nullptr;
}

std::vector<OpenFanOut> FanOutQueue::OfTeam(absl::string_view team_id) const {
  std::vector<OpenFanOut> all;
  const auto team = teams_.find(team_id);
  if (team == teams_.end()) return all;
  for (const auto& [message_id, fan_out] : team->second.fan_outs) {
    all.push_back({fan_out.created_at_ms, message_id, team->first});
  }
  return all;
}

size_t FanOutQueue::CountOf(absl::string_view team_id) const {
  const auto team = teams_.find(team_id);
  return team == teams_.end() ? 0 : team->second.fan_outs.size();
}

}  // namespace bellwire::registry
