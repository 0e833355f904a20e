#ifndef BELLWIRE_REGISTRY_SEALING_SEALED_ENGINE_H_
#define BELLWIRE_REGISTRY_SEALING_SEALED_ENGINE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "bellwire/admin/v1/backup.pb.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/clock.h"
#include "crypto/payload_keys.h"
#include "registry/engine/chore.h"
#include "registry/engine/device_window.h"
#include "registry/engine/kv_engine.h"
#include "registry/sealing/record_seal.h"
#include "registry/sealing/sealed_reader.h"

namespace bellwire::registry {

// An engine in front of another one: records that hold payloads lie sealed below it, in its log,
// its memory and its caches, and are in the clear above it (docs/decisions/payloads_at_rest.md).
//
// The chore seals anew, with the newest key, what lies in the clear or under another key: after the
// first start with a key file, and after a new key came into it. Meanwhile reads take all keys.
//
// Not thread-safe, but for Describe.
class SealedEngine final : public KvEngine, public Chore {
 public:
  // How often it asks for newer keys.
  static constexpr absl::Duration kRefreshInterval = absl::Seconds(1);

  struct Options {
    // Not owned; outlives the engine.
    const Clock* clock = nullptr;
    // Never null.
    std::shared_ptr<const PayloadKeys> keys;
    // Newer keys; null: there are none. Called by Step. May be empty.
    std::function<std::shared_ptr<const PayloadKeys>()> newer_keys;
    // Has the engine below give up the values that were written over so far. Called by Step until
    // they are gone. Empty: it can't.
    std::function<absl::StatusOr<OldVersions>()> forget_old_versions;
    // Where registries share the store: whether this one has all of it. Only then sealing begins,
    // and goes on with another key; the others use what the store says. Empty: nobody shares it.
    std::function<bool()> is_alone;
  };

  // Nothing of the store is changed before it is clear that all its payloads can be opened.
  //   FAILED_PRECONDITION PAYLOAD_KEY_MISSING · as KvEngine
  static absl::StatusOr<std::unique_ptr<SealedEngine>> Open(std::unique_ptr<KvEngine> engine,
                                                            Options options);

  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 absl::string_view key) const override {
    return reader_.Get(family, key);
  }
  absl::StatusOr<std::optional<absl::string_view>> View(Family family, absl::string_view key,
                                                        std::string* storage) const override {
    return reader_.View(family, key, storage);
  }
  absl::Status Scan(Family family, absl::string_view from, absl::string_view to,
                    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit)
      const override {
    return reader_.Scan(family, from, to, visit);
  }
  absl::Status Commit(const WriteSet& writes) override;
  absl::Status CommitInPlace(WriteSet* writes) override;

  absl::StatusOr<bool> Step(Overlay* staged, ChoreBudget* budget) override;

  // Reads again what payloads are sealed with: this registry is about to write to partitions that
  // another one had.
  //   FAILED_PRECONDITION PAYLOAD_KEY_MISSING: with a key that this one has not · as KvReader
  absl::Status Reread();

  // Thread-safe.
  admin::v1::PayloadKeysOfStore Describe() const;

 private:
  SealedEngine(std::unique_ptr<KvEngine> engine, Options options);

  // Nothing was ever sealed.
  bool has_begun() const { return !state_.current().empty(); }
  void Seal(Family family, WriteSet* writes);
  // What is committed is so from now on.
  void SetState(storage::v1::PayloadKeys state);
  void Refresh();
  void Stage(const storage::v1::PayloadKeys& state, Overlay* staged) const;
  absl::StatusOr<bool> SealSome(Overlay* staged, ChoreBudget* budget);
  absl::StatusOr<bool> ForgetOldVersions(Overlay* staged);
  int64_t NowMs() const;

  const std::unique_ptr<KvEngine> engine_;
  const Options options_;
  RecordSeal seal_;
  SealedReader reader_;
  MonotonicTime next_refresh_;
  DeviceWindow window_;
  // As committed; seals with its current key.
  storage::v1::PayloadKeys state_;
  // For Describe.
  mutable absl::Mutex mutex_;
  storage::v1::PayloadKeys described_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const PayloadKeys> described_keys_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SEALING_SEALED_ENGINE_H_
