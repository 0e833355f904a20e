#ifndef BELLWIRE_REGISTRY_ENGINE_KV_ENGINE_H_
#define BELLWIRE_REGISTRY_ENGINE_KV_ENGINE_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bellwire::registry {

// The kinds of keys, each ordered by itself. docs/reference/registry_format.md has the layout of
// each.
enum class Family : uint8_t {
  // All records of a device, under its id, but for kLives: what every message changes.
  kDevices,
  // The lives of a device's messages, under its id. Apart, as they stay for days after their
  // messages and are looked for by ids that nobody has heard of: waiting messages are not moved
  // with them, nor looked through.
  kLives,
  // All records of a team, under its id.
  kTeams,
  // Who holds an app id or a key id; and the slots of the pool of networks, which nobody owns.
  kNames,
  // What is due when: ordered by time, each entry belonging to the device, or team, it names.
  kTimeline,
  // Receipts on their way into a feed: ordered by commit, each entry belonging to the device it
  // names.
  kOutbox,
  // The receipts in each team's feed, under its id.
  kFeeds,
  // The topics of each team, under its id: topic messages and their fan-outs; and who is
  // subscribed, each entry belonging to the device it names.
  kTopics,
};

// A key of any family; ordered by family, then by bytes.
struct KvKey {
  Family family;
  std::string key;
};
struct KvKeyLess {
  using is_transparent = void;
  template <typename A, typename B>
  bool operator()(const A& a, const B& b) const {
    const auto [family_a, key_a] = Parts(a);
    const auto [family_b, key_b] = Parts(b);
    return family_a != family_b ? family_a < family_b : key_a < key_b;
  }

 private:
  static std::pair<Family, absl::string_view> Parts(const KvKey& k) { return {k.family, k.key}; }
  static std::pair<Family, absl::string_view> Parts(const std::pair<Family, absl::string_view>& k) {
    return k;
  }
};

// What becomes of a key.
struct Change {
  // Deletes the key.
  Change() = default;
  // Implicit: a change is its new value, or std::nullopt.
  template <typename T>
  requires std::constructible_from<std::optional<std::string>, T &&> Change(T&& new_value)
      : value(std::forward<T>(new_value)) {}

  // nullopt: deleted.
  std::optional<std::string> value;
  // There was no such key before: where it is deleted again before anything was written, nothing
  // needs to be.
  bool is_new = false;
};

// Adds a change to a map of them. With one of the same key before, what comes of both is left:
// nothing, if what was new is deleted again.
template <typename Map>
void AddChange(typename Map::key_type key, Change change, Map* changes) {
  const auto [it, inserted] = changes->try_emplace(std::move(key), std::move(change));
  if (inserted) return;
  Change& before = it->second;
  if (before.is_new && !change.value.has_value()) {
    changes->erase(it);
  } else {
    // New is what was not there before both of them.
    before.value = std::move(change.value);
  }
}

// What a commit changes.
using WriteSet = absl::btree_map<KvKey, Change, KvKeyLess>;

// An ordered view of keys and values: an engine, or staged changes over one
// (registry/engine/overlay.h).
class KvReader {
 public:
  virtual ~KvReader() = default;

  // nullopt: no such key.
  virtual absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                         absl::string_view key) const = 0;

  // As Get, where the value is only looked at: the view lives until anything else is asked of the
  // reader, or it or `storage` changes.
  virtual absl::StatusOr<std::optional<absl::string_view>> View(Family family,
                                                                absl::string_view key,
                                                                std::string* storage) const {
    absl::StatusOr<std::optional<std::string>> value = Get(family, key);
    if (!value.ok()) return value.status();
    if (!value->has_value()) return std::nullopt;
    *storage = **std::move(value);
    return *storage;
  }

  // Visits the keys in [from, to), in byte order, until there are no more or `visit` returns false.
  // The visitor bounds the scan. The views are valid during the call only; `visit` must not write.
  virtual absl::Status Scan(
      Family family, absl::string_view from, absl::string_view to,
      absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const = 0;
};

// How far an engine is with what its files hold of values that were written over or deleted.
enum class OldVersions {
  // The engine goes on with further commits.
  kLeaving,
  // It is at it by itself.
  kRewriting,
  kGone,
};

// Where the registry's records lie: the narrow waist under the domain logic. RocksDbEngine keeps
// them on disk, MemoryEngine in memory for simulations and tests.
// registry/testing/engine_contract.cc is run over both.
//
// Errors, of reads as of writes:
//   UNAVAILABLE REGISTRY_UNAVAILABLE: it can't be read or written now. Worth trying again.
//   DATA_LOSS STORE_CORRUPT: what lies there is damaged. Never answered as a value.
//
// Not thread-safe: one thread at a time.
class KvEngine : public KvReader {
 public:
  // Applies all of `writes`, or nothing, and returns OK only once they are durable: they survive
  // the process and the power. After an error none of them is seen; they may be seen after a
  // restart.
  virtual absl::Status Commit(const WriteSet& writes) = 0;
  // The same for a caller that needs `writes` no more: what is left in it afterwards is anything.
  virtual absl::Status CommitInPlace(WriteSet* writes) { return Commit(*writes); }
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_KV_ENGINE_H_
