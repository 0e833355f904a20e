#ifndef BELLWIRE_REGISTRY_SHARING_PARTITION_SHARING_H_
#define BELLWIRE_REGISTRY_SHARING_PARTITION_SHARING_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/ids.h"
#include "registry/engine/device_cache.h"
#include "registry/engine/postgres/fleet_watch.h"
#include "registry/engine/postgres/postgres_engine.h"
#include "registry/server/kv_store.h"

namespace bellwire::registry {

// A registry's part in a store that several share: does what FleetWatch plans, between two batches
// of the thread that owns the store. A partition that is given away is written out first, so that
// its new owner finds everything in the database; of one that comes nothing older is believed.
//
// Join is thread-safe; the rest is for the one thread that owns the store.
class PartitionSharing {
 public:
  struct Options {
    // None is owned; all outlive this object.
    PostgresEngine* engine = nullptr;
    DeviceCache* cache = nullptr;
    KvStore* store = nullptr;
    FleetWatch* watch = nullptr;
    // Called when the registry has got partitions, before it uses them: whether it can. If not, the
    // process has to end. May be empty.
    std::function<absl::Status()> on_gained;
    // Called when it could not.
    std::function<void()> end_process;
    // Called after it has got or given some. May be empty.
    std::function<void()> on_changed;
  };
  explicit PartitionSharing(Options options) : options_(std::move(options)) {}

  // Takes part from now on, reached at `address`: the next Work begins.
  void Join(std::string address);

  // Takes and gives what is to be. REQUIRES: nothing is staged in the store.
  void Work();

  // As KvStore::Sharing.
  absl::Status CheckDevice(const DeviceId& device) const;
  absl::Status CheckHome() const;
  bool Owns(absl::string_view device) const {
    return options_.engine->Owns(options_.engine->partitions().OfDevice(device));
  }
  uint64_t EpochOf(const DeviceId& device) const;
  double Share() const { return share_; }
  bool IsAlone() const;

 private:
  absl::Status Begin(const std::string& address);
  // Tells the store, if what the engine owns has changed.
  void NoteOwned();

  const Options options_;
  absl::Mutex mutex_;
  std::optional<std::string> joins_at_ ABSL_GUARDED_BY(mutex_);
  bool joined_ = false;
  double share_ = 0;
  std::set<int16_t> owned_;
  // Every partition that was owned at some time: the cache may remember it.
  std::set<int16_t> once_owned_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SHARING_PARTITION_SHARING_H_
