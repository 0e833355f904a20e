#ifndef BELLWIRE_REGISTRY_SERVER_WORK_QUEUE_H_
#define BELLWIRE_REGISTRY_SERVER_WORK_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "common/fair_queue.h"
#include "common/ids.h"
#include "common/limits.h"

namespace bellwire::registry {

// Whose an operation is: what it takes turns with, and whose room it takes.
class Owner {
 public:
  // Calls of a team's backends. `cost`: how many ordinary operations it is worth.
  static Owner Team(absl::string_view team_id, int64_t cost = 1) {
    return Owner(Kind::kTeam, std::string(team_id), cost);
  }
  // Messages to subscriptions of devices. All of them together are as one team: a sender costs
  // nothing to make, so turns of their own would be worth nothing.
  static Owner Subscriptions() { return Owner(Kind::kTeam, "(subscriptions)", 1); }
  // What connectors do for devices: bounded by what was accepted for them, and by their sessions.
  static Owner Devices() { return Owner(Kind::kDevices, {}, 1); }
  // Look-ups of signing keys: nobody has shown yet who asks.
  static Owner Unauthenticated() { return Owner(Kind::kUnauthenticated, {}, 1); }
  // The operator's. Takes turns with the teams, as one of them.
  static Owner Operator() { return Owner(Kind::kTeam, {}, 1); }

  bool is_devices() const { return kind == Kind::kDevices; }
  // The operation is about this device: its records may be read before it runs.
  Owner About(const DeviceId& device) && {
    device_ = device;
    return std::move(*this);
  }
  const std::optional<DeviceId>& device() const { return device_; }

 private:
  template <typename Item>
  friend class WorkQueue;
  enum class Kind { kTeam, kDevices, kUnauthenticated };
  Owner(Kind kind, std::string team_id, int64_t cost)
      : kind(kind), team_id(std::move(team_id)), cost(cost) {}

  Kind kind;
  // Empty: the operator.
  std::string team_id;
  int64_t cost;
  std::optional<DeviceId> device_;
};

// What waits for the registry's one writer. Teams take fair turns among themselves (FairQueue);
// teams, devices and look-ups take turns of a fixed size with each other. So nobody waits long for
// others' work, whoever it is that has queued a lot. Each of the three has room of its own.
//
// Devices' turn is three times the teams', since a message costs its Append and then up to three
// operations of its device.
//
// Pure. Not thread-safe.
template <typename Item>
class WorkQueue {
 public:
  WorkQueue() : teams_(kMaxRegistryQueue) {}

  // Whether there is room for one more of this owner.
  bool HasRoom(const Owner& owner) const {
    switch (owner.kind) {
      case Owner::Kind::kTeam:
        return teams_.HasRoom(owner.team_id);
      case Owner::Kind::kDevices:
        return devices_.size() < kMaxRegistryQueue;
      case Owner::Kind::kUnauthenticated:
        return unauthenticated_.size() < kMaxRegistryKeyLookUps;
    }
    return false;
  }

  // REQUIRES: HasRoom(owner).
  void Push(const Owner& owner, Item item) {
    switch (owner.kind) {
      case Owner::Kind::kTeam:
        if (owner.team_id != latest_team_) {
          in_a_row_ = latest_team_.has_value() ? 0 : kLately;
          latest_team_ = owner.team_id;
        }
        ++in_a_row_;
        teams_.Push(owner.team_id, std::move(item), owner.cost);
        break;
      case Owner::Kind::kDevices:
        devices_.push_back(std::move(item));
        break;
      case Owner::Kind::kUnauthenticated:
        unauthenticated_.push_back(std::move(item));
        break;
    }
  }

  using Taken = typename FairQueue<Item>::Taken;
  // The next one. REQUIRES: !empty().
  Taken Pop() {
    while (true) {
      if (left_ > 0) {
        --left_;
        if (turn_ == Turn::kTeams && !teams_.empty()) return teams_.Pop();
        if (turn_ == Turn::kDevices && !devices_.empty()) return PopFront(&devices_);
        if (turn_ == Turn::kUnauthenticated && !unauthenticated_.empty()) {
          return PopFront(&unauthenticated_);
        }
      }
      turn_ = turn_ == Turn::kTeams     ? Turn::kDevices
              : turn_ == Turn::kDevices ? Turn::kUnauthenticated
                                        : Turn::kTeams;
      left_ = turn_ == Turn::kDevices ? 3 * kTurn : kTurn;
    }
  }

  // Whether a team waits that has just become active. It is the next of the teams.
  bool newcomer_waits() { return teams_.newcomer_waits(); }
  // REQUIRES: newcomer_waits().
  Taken PopNewcomer() { return teams_.Pop(); }

  // Whether more than one team has called lately: among the latest kLately operations of teams.
  bool shared() const { return in_a_row_ < kLately; }
  // Whether somebody else's work waits, or did a moment ago, beside that of one team.
  bool contended() const { return teams_.flows() > 1 || !devices_.empty(); }

  // How full each of the three rooms is.
  size_t team_operations() const { return teams_.size(); }
  size_t device_operations() const { return devices_.size(); }
  size_t look_ups() const { return unauthenticated_.size(); }

  size_t size() const { return teams_.size() + devices_.size() + unauthenticated_.size(); }
  bool empty() const { return size() == 0; }

 private:
  // At full speed half a second's worth.
  static constexpr size_t kLately = 16 * 1024;
  static constexpr int64_t kTurn = FairQueue<Item>::kQuantum;
  enum class Turn { kTeams, kDevices, kUnauthenticated };

  static Taken PopFront(std::deque<Item>* queue) {
    Item item = std::move(queue->front());
    queue->pop_front();
    return {std::move(item), /*newcomer=*/false};
  }

  FairQueue<Item> teams_;
  std::deque<Item> devices_;
  std::deque<Item> unauthenticated_;
  std::optional<std::string> latest_team_;
  // Operations of that team with no other team's in between.
  size_t in_a_row_ = kLately;
  Turn turn_ = Turn::kTeams;
  // Of this turn.
  int64_t left_ = kTurn;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SERVER_WORK_QUEUE_H_
