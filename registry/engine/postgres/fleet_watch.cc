#include "registry/engine/postgres/fleet_watch.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "registry/engine/postgres/partitions.h"
#include "registry/engine/postgres/pg_status.h"

namespace bellwire::registry {
namespace {

// What nobody owns is taken by each in its turn, and after so long by anybody.
constexpr absl::Duration kFreeForLong = absl::Seconds(2);
// When a call that came to the wrong registry may be repeated. Whoever knows the owner asks it at
// once.
constexpr absl::Duration kNotOwnerRetryAfter = absl::Milliseconds(100);

}  // namespace

FleetWatch::FleetWatch(Options options)
    : options_(std::move(options)), silence_(options_.lease_silence), failures_(options_.clock) {}

void FleetWatch::SetOnChange(std::function<void()> on_change) {
  absl::MutexLock lock(&on_change_mutex_);
  on_change_ = std::move(on_change);
}

void FleetWatch::Begin(int64_t me, const std::string& address, int partitions,
                       const std::string& key, uint32_t own_feed) {
  absl::MutexLock lock(&mutex_);
  me_ = me;
  address_ = address;
  partitions_ = partitions;
  key_ = key;
  own_feed_ = own_feed;
  begun_ = true;
}

void FleetWatch::SetOwned(std::set<int16_t> owned) {
  absl::MutexLock lock(&mutex_);
  owned_ = std::move(owned);
  plan_.reset();
  busy_ = false;
}

void FleetWatch::Leave() {
  absl::MutexLock lock(&mutex_);
  leaves_ = true;
}

absl::Duration FleetWatch::Look(PgConnection* connection) {
  {
    absl::MutexLock lock(&mutex_);
    if (!begun_) return kHurry;
  }
  absl::Duration again = absl::InfiniteDuration();
  const absl::Status looked =
      connection == nullptr ? absl::UnavailableError("") : LookAt(connection, &again);
  if (looked.ok()) return again;
  // Nobody knows what the others did meanwhile.
  silence_.ReadFailed();
  free_since_.reset();
  if (connection == nullptr) return again;
  if (const auto unsaid = failures_.Take()) {
    LogWarning("fleet_not_seen", {{"error", looked.message()}, {"unsaid", *unsaid}});
  }
  return again;
}

absl::Status FleetWatch::LookAt(PgConnection* connection, absl::Duration* again) {
  const MonotonicTime now = options_.clock->Boottime();
  FleetView view;
  bool leaves = false;
  std::string address;
  {
    absl::MutexLock lock(&mutex_);
    view.me = me_;
    view.spread = static_cast<int16_t>(partitions_ + 1);
    view.own = static_cast<int16_t>(partitions_ + static_cast<int>(own_feed_));
    leaves = leaves_;
    address = address_;
  }
  if (leaves) BELLWIRE_RETURN_IF_ERROR(BeatHeart(connection, view.me, address, leaves));
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<Member> members, ReadMembers(connection));
  BELLWIRE_ASSIGN_OR_RETURN(view.leases, ReadLeases(connection));

  std::map<int64_t, int64_t> counters;
  for (const Member& member : members) counters[member.id] = member.counter;
  bool free = false;
  uint64_t version = 0;
  for (const Lease& lease : view.leases) {
    version += static_cast<uint64_t>(lease.epoch);
    free |= lease.owner == kNoOwner && lease.partition < view.spread;
    // One without a heartbeat is as one whose heartbeat stands still.
    if (lease.owner != kNoOwner) counters.try_emplace(lease.owner, -1);
  }
  std::vector<int64_t> gone;
  for (const auto& [id, counter] : counters) {
    silence_.Saw(id, counter, now);
    if (id != view.me && silence_.IsSilent(id, now)) view.silent.insert(id);
  }
  view.alone = view.silent.empty();
  for (const Member& member : members) {
    if (view.silent.count(member.id) == 0) view.alone &= member.id == view.me;
    if (view.silent.count(member.id) > 0) {
      gone.push_back(member.id);
    } else if (!member.address.empty()) {
      view.alive.push_back(member);  // Another one takes no part as yet.
    }
  }
  if (!free) free_since_.reset();
  if (free && !free_since_.has_value()) free_since_ = now;
  view.free_for_long = free && now - *free_since_ >= kFreeForLong;

  FleetPlan plan;
  bool changed = false;
  {
    absl::MutexLock lock(&mutex_);
    view.owned = owned_;
    plan = PlanFleet(view);
    changed = version != version_;
    // A look that began before NoteGiven shows less.
    if (version > version_) {
      version_ = version;
      leases_ = view.leases;
    }
    alone_ = view.alone;
    nobody_takes_ = std::none_of(view.alive.begin(), view.alive.end(), [&](const Member& member) {
      return member.id != view.me && !member.draining;
    });
    // What is to be done was read before the engine did the last of it, if that is under way.
    if (!busy_ && !(plan.take.empty() && plan.give.empty())) {
      plan_ = plan;
      changed = true;
    }
  }
  if (!plan.ask.empty()) {
    std::vector<int64_t> alive;
    for (const Member& member : view.alive) alive.push_back(member.id);
    BELLWIRE_RETURN_IF_ERROR(AskFor(connection, plan.ask, view.me, alive));
  }
  // Those that own something are gone once it is taken.
  if (!gone.empty()) ForgetHeartbeats(connection, gone).IgnoreError();
  if (changed) {
    absl::MutexLock lock(&on_change_mutex_);
    if (on_change_) on_change_();
  }
  if (plan.hurry || changed || leaves) hurries_until_ = now + kHurryFor;
  *again = now < hurries_until_ ? kHurry : absl::InfiniteDuration();
  return absl::OkStatus();
}

std::optional<FleetPlan> FleetWatch::TakePlan() {
  absl::MutexLock lock(&mutex_);
  if (!plan_.has_value()) return std::nullopt;
  busy_ = true;
  return std::exchange(plan_, std::nullopt);
}

internal::v1::PartitionMap FleetWatch::Map() const {
  absl::MutexLock lock(&mutex_);
  internal::v1::PartitionMap map;
  map.set_version(version_);
  map.set_partitions(static_cast<uint32_t>(partitions_));
  map.set_key(key_);
  std::map<std::string, internal::v1::PartitionMap::Owner*> owners;
  for (const Lease& lease : leases_) {
    if (lease.owner == kNoOwner) continue;
    internal::v1::PartitionMap::Owner*& owner = owners[lease.address];
    if (owner == nullptr) {
      owner = map.add_owners();
      owner->set_address(lease.address);
    }
    owner->add_partitions(static_cast<uint32_t>(lease.partition));
  }
  return map;
}

uint64_t FleetWatch::version() const {
  absl::MutexLock lock(&mutex_);
  return version_;
}

std::vector<uint32_t> FleetWatch::Feeds() const {
  absl::MutexLock lock(&mutex_);
  std::vector<uint32_t> feeds = {0};
  for (const Lease& lease : leases_) {
    if (lease.partition > partitions_ && lease.epoch > 0) {
      feeds.push_back(static_cast<uint32_t>(lease.partition - partitions_));
    }
  }
  return feeds;
}

bool FleetWatch::alone() const {
  absl::MutexLock lock(&mutex_);
  return alone_;
}

absl::Status FleetWatch::NotOwner(int partition) const {
  absl::MutexLock lock(&mutex_);
  absl::Status status = WithRetryAfter(
      NotOwnerError(absl::StrCat("another registry owns partition ", partition,
                                 "; ask the one of owner_address, or look at the map")),
      kNotOwnerRetryAfter);
  status = WithMetadata(std::move(status), "map_version", absl::StrCat(version_));
  const size_t index = static_cast<size_t>(partition);
  if (index >= leases_.size() || leases_[index].owner == kNoOwner || leases_[index].owner == me_) {
    return status;
  }
  return WithMetadata(std::move(status), "owner_address", leases_[index].address);
}

void FleetWatch::NoteGiven(const std::vector<int16_t>& partitions, int64_t to,
                           const std::string& address) {
  absl::MutexLock lock(&mutex_);
  for (const int16_t partition : partitions) {
    if (static_cast<size_t>(partition) >= leases_.size()) continue;
    Lease& lease = leases_[static_cast<size_t>(partition)];
    lease.owner = to;
    lease.address = address;
    ++lease.epoch;
    ++version_;
  }
}

void FleetWatch::AwaitJoined(absl::Duration at_most) {
  absl::MutexLock lock(&mutex_);
  const auto joined = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return begun_ && !owned_.empty() && *owned_.begin() <= partitions_;
  };
  mutex_.AwaitWithTimeout(absl::Condition(&joined), at_most);
}

void FleetWatch::AwaitLeft(absl::Duration at_most) {
  absl::MutexLock lock(&mutex_);
  const auto left = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !begun_ || nobody_takes_ || owned_.empty() || *owned_.begin() > partitions_;
  };
  mutex_.AwaitWithTimeout(absl::Condition(&left), at_most);
}

}  // namespace bellwire::registry
