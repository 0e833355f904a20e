#include "registry/deletion/deletions.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "registry/engine/records.h"
#include "registry/engine/store_error.h"
#include "registry/keys/keys.h"
#include "registry/quotas/quota_records.h"

namespace bellwire::registry {
namespace {

using storage::v1::Deletion;
using storage::v1::Registration;

// Records of devices that one step reads at most, and of a team that one step deletes.
constexpr size_t kMaxStepReads = kMaxChoreStepUnits;
constexpr size_t kMaxStepDeletes = 256;
// Of a registration that has thousands of them, what one transaction takes away.
constexpr size_t kMaxErasedLives = 128;

// Whether the registration goes with the deletion. Apps of the same id that were made later are
// others.
bool IsOf(const Registration& registration, absl::string_view team_id, absl::string_view app_id,
          const Deletion& deletion) {
  if (registration.has_subscription() || registration.team_id() != team_id) return false;
  return app_id.empty() ||
         (registration.app_id() == app_id &&
          registration.app_created_at_ms() <= deletion.app_created_at_ms());
}

// Deletes up to kMaxStepDeletes records of the family in [from, to). Whether none is left.
absl::StatusOr<bool> EraseRange(Family family, const std::string& from, const std::string& to,
                                Overlay* staged,
                                absl::FunctionRef<absl::Status(absl::string_view key,
                                                               absl::string_view value)>
                                    before_each) {
  bool more = false;
  std::vector<std::pair<std::string, std::string>> seen;
  BELLWIRE_RETURN_IF_ERROR(
      staged->Scan(family, from, to, [&](absl::string_view key, absl::string_view value) {
        more = seen.size() == kMaxStepDeletes;
        if (!more) seen.emplace_back(key, value);
        return !more;
      }));
  for (const auto& [key, value] : seen) {
    BELLWIRE_RETURN_IF_ERROR(before_each(key, value));
    staged->Delete(family, key);
  }
  return !more;
}

}  // namespace

void Deletions::Begin(absl::string_view team_id, absl::string_view app_id,
                      int64_t app_created_at_ms, int64_t now_ms, Overlay* staged) {
  Deletion record;
  record.set_began_at_ms(now_ms);
  record.set_app_created_at_ms(app_created_at_ms);
  staged->Put(Family::kNames, DeletionKey(team_id, app_id), record.SerializeAsString());
  may_have_some_ = true;
}

absl::StatusOr<bool> Deletions::Step(Overlay* staged, ChoreBudget* budget) {
  if (!may_have_some_) return false;
  std::optional<Open> open;
  absl::Status status;
  BELLWIRE_RETURN_IF_ERROR(
      staged->Scan(Family::kNames, DeletionsFrom(), DeletionsEnd(),
                   [&](absl::string_view key, absl::string_view value) {
                     const std::optional<DeletionName> name = ParseDeletionKey(key);
                     const auto record = ParseRecord<Deletion>(value);
                     if (!name.has_value() || !record.ok()) {
                       // Found by `registry check`; it must not keep the others.
                       status = StoreCorruptError("the record of a deletion");
                       return true;
                     }
                     open = Open{std::string(key), name->team_id, name->app_id, *record};
                     return false;
                   }));
  if (!open.has_value()) {
    may_have_some_ = false;
    if (!status.ok()) return status;
    return false;
  }
  bool over = false;
  switch (static_cast<Phase>(open->record.phase())) {
    case Phase::kDevices: {
      BELLWIRE_ASSIGN_OR_RETURN(over, EraseOnDevices(&*open, staged, budget));
      break;
    }
    case Phase::kReceipts: {
      BELLWIRE_ASSIGN_OR_RETURN(over, EraseReceipts(*open, staged));
      break;
    }
    case Phase::kTopics: {
      BELLWIRE_ASSIGN_OR_RETURN(over, EraseTopics(*open, staged));
      break;
    }
    case Phase::kTeam:
      over = true;
      break;
  }
  const bool is_last = static_cast<Phase>(open->record.phase()) >= Phase::kTeam ||
                       (over && !open->app_id.empty());
  if (over && is_last) {
    for (const uint32_t feed : options_.feeds()) {
      BELLWIRE_RETURN_IF_ERROR(
          ForgetUsage(staged, FeedName(open->team_id, feed), open->app_id));
    }
    if (open->app_id.empty()) {
      staged->Delete(Family::kTeams, TeamRecordKey(open->team_id));
    }
    staged->Delete(Family::kNames, open->key);
    LogInfo("deletion_ended", {{"team", open->team_id},
                               {"app", open->app_id},
                               {"registrations", open->record.registrations()},
                               {"messages", open->record.messages()}});
    return true;
  }
  if (over) {
    open->record.set_phase(open->record.phase() + 1);
    open->record.clear_after();
  }
  staged->Put(Family::kNames, open->key, open->record.SerializeAsString());
  return true;
}

absl::StatusOr<bool> Deletions::EraseOnDevices(Open* open, Overlay* staged, ChoreBudget* budget) {
  std::string reached = window_.EndAfter(open->record.after());
  bool at_end = reached == DeviceWindow::EndOfFamily();
  struct Found {
    std::string key;
    DeviceId device;
    uint64_t registration_id = 0;
    int messages = 0;
  };
  std::vector<Found> found;
  size_t read = 0;
  bool full = false;
  BELLWIRE_RETURN_IF_ERROR(staged->Scan(
      Family::kDevices, open->record.after(), std::string(reached),
      [&](absl::string_view key, absl::string_view value) {
        full = read == kMaxStepReads;
        if (full) {
          reached = std::string(key);
          return false;
        }
        ++read;
        if (!IsRegistrationKey(key)) return true;
        const auto registration = ParseRecord<Registration>(value);
        // What can't be read says not whose it is: `registry check` finds it.
        if (registration.ok() && IsOf(*registration, open->team_id, open->app_id, open->record)) {
          found.push_back({std::string(key), *DeviceId::FromBytes(key.substr(0, DeviceId::kSize)),
                           IdOfRegistrationKey(key), registration->pending_size()});
        }
        return true;
      }));
  window_.Adapt(read, full);
  at_end &= !full;
  size_t erased = 0;
  for (const Found& one : found) {
    bool is_gone = erased == 0 || !budget->IsSpent();
    if (is_gone) {
      budget->Spend(1);
      const absl::Status status =
          options_.on_device(one.device, [&](DeviceTransaction& tx) -> absl::Status {
            BELLWIRE_ASSIGN_OR_RETURN(
                is_gone, tx.EraseRegistration(one.registration_id, kMaxErasedLives));
            return absl::OkStatus();
          });
      if (absl::IsUnavailable(status)) return status;
      if (!status.ok()) {
        // It must not keep the others; `registry check` finds it.
        LogError("registration_not_erased",
                 {{"device", ToHex(one.device)}, {"error", status.message()}});
        is_gone = true;
      }
      ++erased;
    }
    if (!is_gone) {
      reached = one.key;
      at_end = false;
      break;
    }
    open->record.set_registrations(open->record.registrations() + 1);
    open->record.set_messages(open->record.messages() + static_cast<uint64_t>(one.messages));
  }
  open->record.set_after(reached);
  return at_end;
}

absl::StatusOr<bool> Deletions::EraseReceipts(const Open& open, Overlay* staged) {
  // What devices left for the feed would make it anew.
  BELLWIRE_ASSIGN_OR_RETURN(const bool more, options_.relay());
  if (more) return false;
  for (const uint32_t number : options_.feeds()) {
    const std::string name = FeedName(open.team_id, number);
    BELLWIRE_ASSIGN_OR_RETURN(
        const bool none_left,
        EraseRange(Family::kFeeds, FeedBlockKey(name, 0), FeedBlocksEnd(name), staged,
                   [](absl::string_view, absl::string_view) { return absl::OkStatus(); }));
    if (!none_left) return false;
    BELLWIRE_ASSIGN_OR_RETURN(
        const std::optional<storage::v1::Feed> feed,
        GetRecord<storage::v1::Feed>(*staged, Family::kTeams, FeedKey(name)));
    if (!feed.has_value()) continue;
    if (feed->wake_at_ms() != 0) {
      staged->Delete(Family::kTimeline, TimelineKey({.time_ms = feed->wake_at_ms(),
                                                     .kind = TimelineEntry::Kind::kFeed,
                                                     .team_id = name}));
    }
    staged->Delete(Family::kTeams, FeedKey(name));
  }
  return true;
}

absl::StatusOr<bool> Deletions::EraseTopics(const Open& open, Overlay* staged) {
  // As for receipts: what subscriptions that ended have left to be counted.
  BELLWIRE_ASSIGN_OR_RETURN(const bool more, options_.relay());
  if (more) return false;
  // Those of devices lie elsewhere than the rest, where registries share the store.
  const std::string subscribers = absl::StrCat(TeamTopicsFrom(open.team_id), "S");
  BELLWIRE_ASSIGN_OR_RETURN(
      bool none_left,
      EraseRange(Family::kTopics, subscribers, absl::StrCat(subscribers, std::string(64, '\xff')),
                 staged, [](absl::string_view, absl::string_view) { return absl::OkStatus(); }));
  if (!none_left) return false;
  for (const uint32_t feed : options_.feeds()) {
    // What is left of it in the timeline ends with what it is about.
    if (feed == 0) continue;
    const std::string name = FeedName(open.team_id, feed);
    BELLWIRE_ASSIGN_OR_RETURN(
        none_left,
        EraseRange(Family::kTopics, TeamTopicsFrom(name), TeamTopicsEnd(name), staged,
                   [](absl::string_view, absl::string_view) { return absl::OkStatus(); }));
    if (!none_left) return false;
  }
  return EraseRange(
      Family::kTopics, TeamTopicsFrom(open.team_id), TeamTopicsEnd(open.team_id), staged,
      [&](absl::string_view key, absl::string_view value) -> absl::Status {
        const std::optional<MessageId> message_id = MessageOfFanOutKey(key);
        if (!message_id.has_value()) return absl::OkStatus();
        const auto fan_out = ParseRecord<storage::v1::FanOut>(value);
        if (!fan_out.ok() || fan_out->wake_at_ms() == 0) return absl::OkStatus();
        staged->Delete(Family::kTimeline, TimelineKey({.time_ms = fan_out->wake_at_ms(),
                                                       .kind = TimelineEntry::Kind::kTopicMessage,
                                                       .message = {.message_id = *message_id},
                                                       .team_id = open.team_id}));
        return absl::OkStatus();
      });
}

}  // namespace bellwire::registry
