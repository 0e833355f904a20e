#ifndef BELLWIRE_REGISTRY_ENGINE_RECENT_WRITES_H_
#define BELLWIRE_REGISTRY_ENGINE_RECENT_WRITES_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "registry/engine/kv_engine.h"

namespace bellwire::registry {

// Where something was written in the engine's CommitLog.
struct LogPlace {
  // Of the entry; the next one has the next number.
  uint64_t commit = 0;
  // Bytes logged before it, since the store was opened.
  uint64_t bytes = 0;
};

// The latest writes of the families whose records don't last. They are in the CommitLog, and the
// engine's tables don't know of them yet. Most messages are acknowledged a moment after they were
// stored, and each of these steps writes the same records of the device. What is written over or
// deleted while it is here never reaches a table, and is never sorted, flushed and merged. In the
// words of ARIES (C. Mohan et al., ACM TODS 17, 1992) these are dirty pages that are written back
// by age, and a start redoes the log from the oldest of them.
//
// Keys are held in groups, a device's together. A group leaves as a whole, the oldest first, once
// enough was logged after the first of its writes. So memory and the length of the log are bounded.
//
// Pure. Not thread-safe.
class RecentWrites final : public KvReader {
 public:
  // Whether writes of the family come here.
  static bool Keeps(Family family);

  // `tables` is what lies below. Not owned; outlives this.
  explicit RecentWrites(const KvReader* tables) : tables_(tables) {}

  // What is here, or else below.
  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 absl::string_view key) const override;
  absl::StatusOr<std::optional<absl::string_view>> View(Family family, absl::string_view key,
                                                        std::string* storage) const override;
  absl::Status Scan(
      Family family, absl::string_view from, absl::string_view to,
      absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const override;

  // Visits what is here of the keys that begin with `prefix`, in no particular order. REQUIRES:
  // these are all or none of a group: the id of a device, in kDevices.
  void ForEach(Family family, absl::string_view prefix,
               absl::FunctionRef<void(absl::string_view key, const Change& change)> visit) const;

  // Adds what was just logged there. REQUIRES: Keeps(key.family).
  void Add(const KvKey& key, Change change, const LogPlace& place);

  // Takes out groups that began before `bytes`, the oldest first, until it has taken `at_most`
  // bytes of keys and values; `write` gets what the tables must be told. No group is divided.
  void TakeBefore(uint64_t bytes, uint64_t at_most,
                  absl::FunctionRef<void(Family family, absl::string_view key,
                                         const std::optional<std::string>& value)>
                      write);

  // Takes out what `picks` says so of, however young: `write` gets what the tables must be told.
  // `picks` is asked about one key of each group of a device, and about each key of other groups.
  void TakeThose(absl::FunctionRef<bool(Family family, absl::string_view key)> picks,
                 absl::FunctionRef<void(Family family, absl::string_view key,
                                        const std::optional<std::string>& value)>
                     write);

  // Where the oldest write was logged: the log is needed from there on. nullopt: nothing is here.
  std::optional<LogPlace> oldest() const;

 private:
  // Keys of one family that begin with the same bytes, by the rest of them.
  struct Group {
    Family family;
    std::string prefix;
    LogPlace since;
    absl::btree_map<std::string, Change> changes;
  };

  struct Found {
    std::string key;
    const Change* change;
  };

  // Null: there is no such group.
  const Group* FindGroup(Family family, absl::string_view key) const;
  const Change* Find(Family family, absl::string_view key) const;
  // What is here of [from, to), in byte order.
  std::vector<Found> FindAll(Family family, absl::string_view from, absl::string_view to) const;

  const KvReader* const tables_;
  // In the order of `since`.
  std::list<Group> groups_;
  // The prefixes lie in the groups.
  absl::flat_hash_map<std::pair<Family, absl::string_view>, std::list<Group>::iterator> by_prefix_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_RECENT_WRITES_H_
