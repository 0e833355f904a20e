#include "registry/engine/postgres/partitions.h"

#include <algorithm>

#include "common/ids.h"
#include "rpc/partition_hash.h"

namespace bellwire::registry {
namespace {

// Where a family's keys have their device (registry/keys/keys.h). nullopt: they have none.
std::optional<size_t> PlaceOfDevice(Family family) {
  switch (family) {
    case Family::kDevices:
    case Family::kLives:
      return 0;
    case Family::kTimeline:
    case Family::kOutbox:
      return 8;
    case Family::kTeams:
    case Family::kNames:
    case Family::kFeeds:
    case Family::kTopics:
      break;
  }
  return std::nullopt;
}

bool IsNetworkSlot(absl::string_view key) { return !key.empty() && key.front() == 'N'; }

}  // namespace

int Partitions::Of(Family family, absl::string_view key) const {
  const std::optional<size_t> place = PlaceOfDevice(family);
  if (!place.has_value()) return OfTeam(family, key);
  if (key.size() < *place + DeviceId::kSize) return shared();
  const absl::string_view device = key.substr(*place, DeviceId::kSize);
  // A team's entry in the timeline, which ends with its name.
  if (std::all_of(device.begin(), device.end(), [](char c) { return c == '\0'; })) {
    return OfFeed(FeedOfName(key));
  }
  return OfDevice(device);
}

int Partitions::OfTeam(Family family, absl::string_view key) const {
  if (family == Family::kNames) return IsNetworkSlot(key) ? own() : OfFeed(FeedOfNameKey(key));
  if (family == Family::kTopics && IsSubscriberKey(key)) {
    return OfDevice(SubscriberOfKey(key).device.bytes());
  }
  return OfFeed(FeedOfName(TeamOfKey(key)));
}

std::optional<int> Partitions::OfRange(Family family, absl::string_view from,
                                       absl::string_view to) const {
  const std::optional<size_t> place = PlaceOfDevice(family);
  if (!place.has_value()) {
    const absl::string_view team = TeamOfKey(from);
    const size_t kind = 1 + team.size();
    if (family == Family::kTopics && from.substr(0, kind + 1) == to.substr(0, kind + 1) &&
        from.substr(kind, 1) == "S") {
      return std::nullopt;  // Subscribers: each is its device's.
    }
    // The whole family, subscribers among it.
    if (family == Family::kTopics && from.empty() && to.substr(0, 2) == "\xff\xff") {
      return std::nullopt;
    }
    return team == TeamOfKey(to) ? OfTeam(family, from) : shared();
  }
  const size_t end = *place + DeviceId::kSize;
  if (from.size() < end || to.size() < end || from.substr(0, end) != to.substr(0, end)) {
    return std::nullopt;
  }
  return Of(family, from);
}

int Partitions::OfDevice(absl::string_view device) const {
  if (device == last_device_) return last_partition_;
  last_device_ = std::string(device);
  last_partition_ = PartitionOfDevice(device, key_, count_);
  return last_partition_;
}

}  // namespace bellwire::registry
