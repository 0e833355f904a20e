#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_FLEET_WATCH_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_FLEET_WATCH_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "bellwire/internal/v1/partition.pb.h"
#include "common/clock.h"
#include "common/log_limit.h"
#include "registry/engine/postgres/fleet_plan.h"
#include "registry/engine/postgres/lease_watch.h"
#include "registry/engine/postgres/leases.h"
#include "registry/engine/postgres/pg_connection.h"

namespace bellwire::registry {

// What a registry that shares a store sees of the others: looks at leases and heartbeats, decides
// what this one is to do (PlanFleet), and knows who owns what. It sees what was so some time ago,
// so nothing that must be true rests on it.
//
// Thread-safe.
class FleetWatch {
 public:
  // Between two looks while partitions move, and for some time afterwards: most often more move.
  static constexpr absl::Duration kHurry = absl::Milliseconds(20);
  static constexpr absl::Duration kHurryFor = absl::Seconds(1);

  struct Options {
    // Not owned; outlives this object.
    const Clock* clock = nullptr;
    // As PostgresEngine::Options.
    absl::Duration lease_silence;
  };
  explicit FleetWatch(Options options);

  // Called, on the thread of Look, when TakePlan has something or the map has changed. Must not
  // block. When it returns, the one before is not called any more. Null, as at first: nobody is
  // told.
  void SetOnChange(std::function<void()> on_change);

  // What the engine knows of itself, and of the store. Before it Look does nothing.
  void Begin(int64_t me, const std::string& address, int partitions, const std::string& key,
             uint32_t own_feed);
  // As the engine says after each change of what it owns.
  void SetOwned(std::set<int16_t> owned);
  // The engine has given these away just now: the next look will show it.
  void NoteGiven(const std::vector<int16_t>& partitions, int64_t to, const std::string& address);
  // Waits until this registry owns something that is spread, or so long.
  void AwaitJoined(absl::Duration at_most);
  // From the next look on this registry drains: it goes.
  void Leave();
  // Waits until it owns nothing that others want, or nobody is left who could want it, or so long.
  void AwaitLeft(absl::Duration at_most);

  // As Heartbeat::Options::after_beat: looks, and asks others for partitions. Of one thread.
  absl::Duration Look(PgConnection* connection);

  // What is to be done by the thread that uses the engine, if there is anything. Until SetOwned it
  // is not answered again.
  std::optional<FleetPlan> TakePlan();

  // Who owns what.
  internal::v1::PartitionMap Map() const;
  uint64_t version() const;
  // Feeds that have ever been somebody's, feed 0 among them.
  std::vector<uint32_t> Feeds() const;
  // Whether no other registry lives, as of the last look.
  bool alone() const;
  // Of another registry's partition, which this one was asked for.
  //   UNAVAILABLE NOT_OWNER with RetryInfo, metadata `owner_address` (absent: nobody owns it at the
  //   moment) and `map_version`
  absl::Status NotOwner(int partition) const;

 private:
  absl::Status LookAt(PgConnection* connection, absl::Duration* again);

  const Options options_;
  // Of the thread of Look.
  LeaseWatch silence_;
  std::optional<MonotonicTime> free_since_;
  MonotonicTime hurries_until_;
  LogLimit failures_;

  // Held while it is called.
  absl::Mutex on_change_mutex_;
  std::function<void()> on_change_ ABSL_GUARDED_BY(on_change_mutex_);

  mutable absl::Mutex mutex_;
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t me_ ABSL_GUARDED_BY(mutex_) = kNoOwner;
  std::string address_ ABSL_GUARDED_BY(mutex_);
  int partitions_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string key_ ABSL_GUARDED_BY(mutex_);
  uint32_t own_feed_ ABSL_GUARDED_BY(mutex_) = 0;
  bool leaves_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<int16_t> owned_ ABSL_GUARDED_BY(mutex_);
  std::vector<Lease> leases_ ABSL_GUARDED_BY(mutex_);
  // The sum of all epochs: each change of an owner raises one.
  uint64_t version_ ABSL_GUARDED_BY(mutex_) = 0;
  // No other one lives; and nobody could take what this one has.
  bool alone_ ABSL_GUARDED_BY(mutex_) = false;
  bool nobody_takes_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<FleetPlan> plan_ ABSL_GUARDED_BY(mutex_);
  // A plan was taken, and nobody has said what came of it.
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_FLEET_WATCH_H_
