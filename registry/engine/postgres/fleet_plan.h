#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_FLEET_PLAN_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_FLEET_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "registry/engine/postgres/leases.h"

namespace bellwire::registry {

// Partitions that one registry asks others for at a time. Each stands still for some round trips
// when it moves, and those that move together do so together.
inline constexpr size_t kMaxMovesAtATime = 8;

// What one registry knows of all that share a store.
struct FleetView {
  // How many of the partitions are spread: those of devices, and the one that belongs to no device.
  int16_t spread = 0;
  std::vector<Lease> leases;
  // Those that live, this one included, in the order of their ids.
  std::vector<Member> alive;
  // Owners that were silent for too long.
  std::set<int64_t> silent;
  int64_t me = kNoOwner;
  // What this one owns, as its engine believes.
  std::set<int16_t> owned;
  // The partition of its feed; -1: it has none.
  int16_t own = -1;
  // No other registry lives, not even one that takes no part as yet.
  bool alone = false;
  // What nobody owns has been so for a while: whose turn it is does not come for it.
  bool free_for_long = false;
};

// What it is to do now.
struct FleetPlan {
  // Each to be taken as a whole: what a dead owner has, what was given to this one, what is free.
  std::vector<std::vector<Lease>> take;
  struct Gift {
    int64_t to = kNoOwner;
    std::string address;
    std::vector<int16_t> partitions;
  };
  std::vector<Gift> give;
  // To be asked for.
  std::vector<int16_t> ask;
  // Moves that concern this one are under way: it is to look again soon.
  bool hurry = false;
};

// Each member is due the same number of partitions, but for one, and none if it drains. Who has
// fewer asks those that have more; whoever is asked gives, if who asks lives. So the decisions of
// one place need no agreement: a partition moves only from who has too many to who has too few, and
// two that ask for the same one are told apart by the row. What a dead owner had is taken as a
// whole by one of the others, with its log, and is spread afterwards. What is free is taken by each
// in its turn. Feeds that were somebody's once are taken by one that is alone, so that it can
// forget what is in them, and are free again for who comes.
//
// Pure.
FleetPlan PlanFleet(const FleetView& view);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_FLEET_PLAN_H_
