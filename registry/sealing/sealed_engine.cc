#include "registry/sealing/sealed_engine.h"

#include <utility>
#include <vector>

#include "common/log.h"
#include "common/status_macros.h"
#include "registry/engine/records.h"
#include "registry/engine/store_error.h"
#include "registry/keys/keys.h"
#include "registry/sealing/payload_state.h"

namespace bellwire::registry {
namespace {

using State = storage::v1::PayloadKeys;

// Records that one step reads, and that it seals anew, at most.
constexpr size_t kMaxStepReads = kMaxChoreStepUnits;
constexpr size_t kMaxStepSeals = 256;

Family FamilyOf(const State& state) {
  return state.family() <= static_cast<uint32_t>(Family::kDevices) ? Family::kDevices
                                                                   : Family::kTopics;
}

absl::StatusOr<bool> IsEmpty(const KvReader& store, Family family) {
  bool empty = true;
  BELLWIRE_RETURN_IF_ERROR(store.Scan(family, "", DeviceWindow::EndOfFamily(),
                                      [&](absl::string_view, absl::string_view) {
                                        empty = false;
                                        return false;
                                      }));
  return empty;
}

}  // namespace

SealedEngine::SealedEngine(std::unique_ptr<KvEngine> engine, Options options)
    : engine_(std::move(engine)),
      options_(std::move(options)),
      seal_(options_.keys),
      reader_(engine_.get(), &seal_, SealedReader::Unreadable::kError),
      next_refresh_(options_.clock->Monotonic()) {
  absl::MutexLock lock(&mutex_);
  described_keys_ = options_.keys;
}

absl::StatusOr<std::unique_ptr<SealedEngine>> SealedEngine::Open(std::unique_ptr<KvEngine> engine,
                                                                 Options options) {
  BELLWIRE_ASSIGN_OR_RETURN(std::optional<State> state, ReadPayloadState(*engine));
  BELLWIRE_RETURN_IF_ERROR(CheckPayloadKeys(state, options.keys.get()));
  std::unique_ptr<SealedEngine> sealed(new SealedEngine(std::move(engine), std::move(options)));
  if (!state.has_value() && sealed->options_.is_alone) {
    // Step begins, once this registry has all of the store. Until then nothing is sealed.
    State none;
    none.set_clear(true);
    sealed->SetState(std::move(none));
    return sealed;
  }
  if (!state.has_value()) {
    BELLWIRE_ASSIGN_OR_RETURN(const bool no_devices, IsEmpty(*sealed->engine_, Family::kDevices));
    BELLWIRE_ASSIGN_OR_RETURN(const bool no_topics, IsEmpty(*sealed->engine_, Family::kTopics));
    state = BeginSealing(sealed->options_.keys->newest().id, no_devices && no_topics,
                         sealed->NowMs());
    WriteSet first;
    first.try_emplace(KvKey{Family::kNames, PayloadKeysKey()}, state->SerializeAsString());
    BELLWIRE_RETURN_IF_ERROR(sealed->engine_->Commit(first));
    LogInfo("payload_sealing_began", {{"key", PayloadKeyName(state->current())}});
  }
  sealed->SetState(*std::move(state));
  return sealed;
}

int64_t SealedEngine::NowMs() const { return ToStoredMs(options_.clock->WallNow()); }

void SealedEngine::SetState(State state) {
  reader_.SetClearAllowed(state.clear());
  {
    absl::MutexLock lock(&mutex_);
    described_ = state;
  }
  state_ = std::move(state);
}

absl::Status SealedEngine::Reread() {
  BELLWIRE_ASSIGN_OR_RETURN(std::optional<State> state, ReadPayloadState(*engine_));
  if (!state.has_value()) return absl::OkStatus();
  BELLWIRE_RETURN_IF_ERROR(CheckPayloadKeys(state, &seal_.keys()));
  SetState(*std::move(state));
  return absl::OkStatus();
}

void SealedEngine::Seal(Family family, WriteSet* writes) {
  if (!has_begun()) return;
  for (auto it = writes->lower_bound(std::make_pair(family, absl::string_view()));
       it != writes->end() && it->first.family == family; ++it) {
    std::optional<std::string>& value = it->second.value;
    if (!value.has_value() || !HoldsPayload(family, it->first.key)) continue;
    value = seal_.Seal(state_.current(), family, it->first.key, *value);
  }
}

absl::Status SealedEngine::Commit(const WriteSet& writes) {
  WriteSet own = writes;
  return CommitInPlace(&own);
}

absl::Status SealedEngine::CommitInPlace(WriteSet* writes) {
  Seal(Family::kDevices, writes);
  Seal(Family::kTopics, writes);
  std::optional<State> state;
  const auto it = writes->find(std::make_pair(Family::kNames, absl::string_view("P")));
  if (it != writes->end() && it->second.value.has_value()) {
    BELLWIRE_ASSIGN_OR_RETURN(state, ParseRecord<State>(*it->second.value));
  }
  BELLWIRE_RETURN_IF_ERROR(engine_->Commit(*writes));
  if (state.has_value()) SetState(*std::move(state));
  return absl::OkStatus();
}

void SealedEngine::Refresh() {
  const MonotonicTime now = options_.clock->Monotonic();
  if (!options_.newer_keys || now < next_refresh_) return;
  next_refresh_ = now + kRefreshInterval;
  std::shared_ptr<const PayloadKeys> keys = options_.newer_keys();
  if (keys == nullptr) return;
  if (const absl::Status fits = CheckPayloadKeys(state_, keys.get()); !fits.ok()) {
    LogWarning("payload_keys_refused",
               {{"error", fits.message()}, {"to_do", "the keys from before are used on"}});
    return;
  }
  {
    absl::MutexLock lock(&mutex_);
    described_keys_ = keys;
  }
  seal_.SetKeys(std::move(keys));
}

void SealedEngine::Stage(const State& state, Overlay* staged) const {
  staged->Put(Family::kNames, PayloadKeysKey(), state.SerializeAsString());
}

absl::StatusOr<bool> SealedEngine::Step(Overlay* staged, ChoreBudget* budget) {
  // After a commit of which nobody knew what came: what is in the store holds.
  BELLWIRE_ASSIGN_OR_RETURN(std::optional<State> state, ReadPayloadState(*engine_));
  const bool may_change = !options_.is_alone || options_.is_alone();
  if (!state.has_value() && options_.is_alone && !has_begun()) {
    if (!may_change) return false;
    LogInfo("payload_sealing_began", {{"key", PayloadKeyName(seal_.keys().newest().id)}});
    Stage(BeginSealing(seal_.keys().newest().id, /*empty=*/false, NowMs()), staged);
    return true;
  }
  if (!state.has_value()) return StoreCorruptError("the keys that seal payloads are not recorded");
  SetState(*std::move(state));
  Refresh();
  if (!may_change) return false;
  const std::string& newest = seal_.keys().newest().id;
  if (newest != state_.current()) {
    LogInfo("payload_rotation_began", {{"key", PayloadKeyName(newest)},
                                       {"former_key", PayloadKeyName(state_.current())}});
    Stage(Rotated(state_, newest, NowMs()), staged);
    return true;
  }
  if (state_.ended_at_ms() == 0) return SealSome(staged, budget);
  return state_.old_files() ? ForgetOldVersions(staged) : false;
}

absl::StatusOr<bool> SealedEngine::SealSome(Overlay* staged, ChoreBudget* budget) {
  const Family family = FamilyOf(state_);
  const bool is_devices = family == Family::kDevices;
  std::string reached = is_devices ? window_.EndAfter(state_.after()) : DeviceWindow::EndOfFamily();
  bool at_end = reached == DeviceWindow::EndOfFamily();
  std::vector<std::string> stale;
  size_t seen = 0;
  bool full = false;
  BELLWIRE_RETURN_IF_ERROR(engine_->Scan(
      family, state_.after(), std::string(reached),
      [&](absl::string_view key, absl::string_view value) {
        full = seen == kMaxStepReads || stale.size() == kMaxStepSeals;
        if (full) {
          reached = std::string(key);
          return false;
        }
        ++seen;
        if (HoldsPayload(family, key) && RecordSeal::KeyIdOf(value) != state_.current()) {
          stale.emplace_back(key);
        }
        return true;
      }));
  if (is_devices) window_.Adapt(seen, full);
  at_end &= !full;
  size_t resealed = 0;
  for (const std::string& key : stale) {
    if (budget->IsSpent() && resealed > 0) {
      reached = key;
      at_end = false;
      break;
    }
    budget->Spend(1);
    const absl::StatusOr<std::optional<std::string>> record = staged->Get(family, key);
    if (absl::IsUnavailable(record.status())) return record.status();
    if (!record.ok()) {
      // Nobody is served it, under whatever key. It must not keep the others.
      LogError("payload_not_resealed", {{"error", record.status().message()}});
      continue;
    }
    // Settled by what is staged already.
    if (!record->has_value()) continue;
    staged->Put(family, key, **record);
    ++resealed;
  }
  State next = state_;
  next.set_seen(next.seen() + seen);
  next.set_resealed(next.resealed() + resealed);
  next.set_after(reached);
  if (at_end && is_devices) {
    next.set_family(static_cast<uint32_t>(Family::kTopics));
    next.clear_after();
  } else if (at_end) {
    EndSealing(options_.forget_old_versions != nullptr, NowMs(), &next);
    LogInfo("payloads_sealed",
            {{"key", PayloadKeyName(next.current())}, {"resealed", next.resealed()}});
  }
  Stage(next, staged);
  return next.ended_at_ms() == 0 || next.old_files();
}

absl::StatusOr<bool> SealedEngine::ForgetOldVersions(Overlay* staged) {
  State next = state_;
  OldVersions old = OldVersions::kGone;
  if (options_.forget_old_versions) {
    BELLWIRE_ASSIGN_OR_RETURN(old, options_.forget_old_versions());
  }
  if (old == OldVersions::kRewriting) return true;
  if (old == OldVersions::kGone) next.set_old_files(false);
  // Also where nothing changes: the engine below needs a commit.
  Stage(next, staged);
  return old != OldVersions::kGone;
}

admin::v1::PayloadKeysOfStore SealedEngine::Describe() const {
  absl::MutexLock lock(&mutex_);
  return registry::Describe(described_, described_keys_.get());
}

}  // namespace bellwire::registry
