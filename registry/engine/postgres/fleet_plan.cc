#include "registry/engine/postgres/fleet_plan.h"

#include <algorithm>
#include <map>
#include <optional>

#include "absl/container/flat_hash_map.h"

namespace bellwire::registry {
namespace {

const Member* Find(const std::vector<Member>& members, int64_t id) {
  for (const Member& member : members) {
    if (member.id == id) return &member;
  }
  return nullptr;
}

// How many partitions each living member is due.
absl::flat_hash_map<int64_t, int> Shares(const FleetView& view) {
  absl::flat_hash_map<int64_t, int> shares;
  int takers = 0;
  for (const Member& member : view.alive) takers += member.draining ? 0 : 1;
  int rank = 0;
  for (const Member& member : view.alive) {
    if (member.draining || takers == 0) {
      shares[member.id] = 0;
      continue;
    }
    shares[member.id] = view.spread / takers + (rank < view.spread % takers ? 1 : 0);
    ++rank;
  }
  return shares;
}

// Which of those that take partitions this one is, and how many there are. nullopt: it drains.
std::optional<std::pair<int, int>> Turn(const FleetView& view) {
  int takers = 0;
  std::optional<int> mine;
  for (const Member& member : view.alive) {
    if (member.draining) continue;
    if (member.id == view.me) mine = takers;
    ++takers;
  }
  if (!mine.has_value()) return std::nullopt;
  return std::make_pair(*mine, takers);
}

}  // namespace

FleetPlan PlanFleet(const FleetView& view) {
  FleetPlan plan;
  const auto turn = Turn(view);
  std::map<int64_t, std::vector<Lease>> of_dead;
  std::map<int64_t, FleetPlan::Gift> gifts;
  std::vector<Lease> given, free;
  // Of living owners, without what somebody who lives has asked for.
  std::map<int64_t, std::vector<int16_t>> stays;
  int mine = 0;
  int asked = 0;
  for (const Lease& lease : view.leases) {
    const bool spread = lease.partition < view.spread;
    if (lease.owner == view.me) {
      if (view.owned.count(lease.partition) == 0) given.push_back(lease);
      if (!spread) {
        const bool lent = view.own >= 0 && lease.partition != view.own && !view.alone;
        if (lent && view.owned.count(lease.partition) > 0) {
          gifts[kNoOwner].partitions.push_back(lease.partition);
        }
        continue;
      }
      const Member* const taker =
          lease.wanted_by == view.me ? nullptr : Find(view.alive, lease.wanted_by);
      if (taker == nullptr || taker->draining || view.owned.count(lease.partition) == 0) {
        ++mine;
        continue;
      }
      FleetPlan::Gift& gift = gifts[taker->id];
      gift.to = taker->id;
      gift.address = taker->address;
      gift.partitions.push_back(lease.partition);
    } else if (lease.owner == kNoOwner) {
      // Feeds that nobody owns are read by all, and wait for the next one who needs one.
      if (!spread && view.own >= 0 && view.alone && turn.has_value() && lease.epoch > 0) {
        free.push_back(lease);
      }
      if (!spread || !turn.has_value()) continue;
      if (view.free_for_long || lease.partition % turn->second == turn->first) {
        free.push_back(lease);
      }
    } else if (view.silent.count(lease.owner) > 0) {
      of_dead[lease.owner].push_back(lease);
    } else if (spread) {
      if (lease.wanted_by == view.me) {
        ++asked;
      } else if (Find(view.alive, lease.wanted_by) == nullptr) {
        stays[lease.owner].push_back(lease.partition);
      }
    }
  }
  if (!given.empty()) plan.take.push_back(std::move(given));
  if (turn.has_value()) {
    for (auto& [owner, leases] : of_dead) plan.take.push_back(std::move(leases));
    if (!free.empty()) plan.take.push_back(std::move(free));
  }
  for (auto& [to, gift] : gifts) plan.give.push_back(std::move(gift));
  plan.hurry = asked > 0 || !plan.give.empty();
  if (!turn.has_value() || !plan.take.empty()) return plan;

  const absl::flat_hash_map<int64_t, int> shares = Shares(view);
  int missing = shares.at(view.me) - mine - asked;
  const int room = static_cast<int>(kMaxMovesAtATime) - asked;
  missing = std::min(missing, room);
  // Those that drain first, then those with the most to spare.
  std::vector<std::pair<int, int64_t>> donors;
  for (const auto& [owner, partitions] : stays) {
    const auto share = shares.find(owner);
    if (share == shares.end()) continue;  // Nobody has heard of it yet.
    const int spare = static_cast<int>(partitions.size()) - share->second;
    if (spare > 0) donors.emplace_back(share->second == 0 ? view.spread : spare, owner);
  }
  std::sort(donors.rbegin(), donors.rend());
  for (const auto& [unused, owner] : donors) {
    const std::vector<int16_t>& partitions = stays.at(owner);
    int spare = static_cast<int>(partitions.size()) - shares.at(owner);
    // Each begins at another place: two that ask at once seldom meet.
    const size_t begin =
        static_cast<size_t>(turn->first) * partitions.size() / static_cast<size_t>(turn->second);
    for (size_t i = 0; i < partitions.size() && missing > 0 && spare > 0; ++i, --missing, --spare) {
      plan.ask.push_back(partitions[(begin + i) % partitions.size()]);
    }
  }
  plan.hurry |= !plan.ask.empty();
  return plan;
}

}  // namespace bellwire::registry
