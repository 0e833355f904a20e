#include "registry/deletion/count_records.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/status_macros.h"
#include "registry/engine/device_window.h"
#include "registry/engine/records.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {
namespace {

using admin::v1::RecordCounts;
using internal::v1::CountRecordsRequest;
using internal::v1::CountRecordsResponse;
using storage::v1::Registration;

// Records that one part reads, but for the rest of its last device.
constexpr size_t kMaxPartReads = 1024;

// What a cursor is in: its first byte. The rest is the key from which to go on.
constexpr char kDevices = 'd';
constexpr char kFeed = 'f';
constexpr char kTopics = 't';

// Whose records are counted.
struct Owner {
  std::string team_id;
  // Empty: the team's.
  std::string app_id;
  bool deleted = false;
};

bool IsOf(const Registration& registration, const Owner& owner) {
  return !registration.has_subscription() && registration.team_id() == owner.team_id &&
         (owner.app_id.empty() || registration.app_id() == owner.app_id);
}

absl::StatusOr<Owner> FindOwner(const KvReader& store,
                                const admin::v1::CountRecordsRequest& request) {
  Owner owner{request.team_id(), request.app_id()};
  if (!owner.app_id.empty()) {
    BELLWIRE_ASSIGN_OR_RETURN(
        const std::optional<storage::v1::NameOwner> name,
        GetRecord<storage::v1::NameOwner>(store, Family::kNames, AppNameKey(owner.app_id)));
    if (name.has_value()) {
      owner.team_id = name->team_id();
      return owner;
    }
    // Deletions are few.
    BELLWIRE_RETURN_IF_ERROR(store.Scan(
        Family::kNames, DeletionsFrom(), DeletionsEnd(),
        [&](absl::string_view key, absl::string_view) {
          const std::optional<DeletionName> deletion = ParseDeletionKey(key);
          owner.deleted = deletion.has_value() && deletion->app_id == owner.app_id;
          if (owner.deleted) owner.team_id = deletion->team_id;
          return !owner.deleted;
        }));
    if (owner.deleted) return owner;
    return MakeError(absl::StatusCode::kNotFound, "UNKNOWN_APP",
                     absl::StrCat("there is no app \"", owner.app_id,
                                  "\", and nothing is left of a deleted one"));
  }
  BELLWIRE_ASSIGN_OR_RETURN(
      const std::optional<admin::v1::Team> team,
      GetRecord<admin::v1::Team>(store, Family::kTeams, TeamRecordKey(owner.team_id)));
  if (!team.has_value()) {
    return MakeError(absl::StatusCode::kNotFound, "TEAM_NOT_FOUND",
                     absl::StrCat("there is no team \"", owner.team_id,
                                  "\", and nothing is left of a deleted one"));
  }
  owner.deleted = team->has_delete_time();
  return owner;
}

absl::Status CountCatalogue(const KvReader& store, const Owner& owner, RecordCounts* counts) {
  counts->set_deleted(owner.deleted);
  if (!owner.app_id.empty()) {
    counts->set_apps(owner.deleted ? 0 : 1);
    return absl::OkStatus();
  }
  BELLWIRE_RETURN_IF_ERROR(store.Scan(Family::kTeams, TeamAppsFrom(owner.team_id),
                                      TeamAppsEnd(owner.team_id),
                                      [&](absl::string_view, absl::string_view) {
                                        counts->set_apps(counts->apps() + 1);
                                        return true;
                                      }));
  absl::Status status;
  BELLWIRE_RETURN_IF_ERROR(store.Scan(
      Family::kTeams, TeamKeysFrom(owner.team_id), TeamKeysEnd(owner.team_id),
      [&](absl::string_view, absl::string_view value) {
        const auto key = ParseRecord<admin::v1::Key>(value);
        status = key.status();
        if (!key.ok()) return false;
        if (key->kind() == admin::v1::Key::ALIAS) {
          counts->set_aliases(counts->aliases() + 1);
        } else {
          counts->set_keys(counts->keys() + 1);
        }
        return true;
      }));
  return status;
}

// The lives of messages of these registrations.
absl::Status CountLives(const KvReader& store, const DeviceId& device,
                        const std::set<uint64_t>& registrations, RecordCounts* counts) {
  return store.Scan(Family::kLives, LivesFrom(device), LivesEnd(device),
                    [&](absl::string_view key, absl::string_view) {
                      if (key.size() == kLifeKeySize &&
                          registrations.count(MessageOfLifeKey(key).registration_id) != 0) {
                        counts->set_message_histories(counts->message_histories() + 1);
                      }
                      return true;
                    });
}

// Answers where to go on; nullopt: this was the last part.
absl::StatusOr<std::optional<std::string>> CountDevices(const KvReader& store, const Owner& owner,
                                                        std::string from, RecordCounts* counts) {
  struct OfDevice {
    DeviceId device;
    std::set<uint64_t> registrations;
  };
  std::vector<OfDevice> found;
  // Windows, as of DeviceWindow, until enough was read.
  DeviceWindow window;
  size_t read = 0;
  absl::Status status;
  while (true) {
    const std::string end = window.EndAfter(from);
    std::optional<std::string> next;
    std::string device;
    size_t of_window = 0;
    BELLWIRE_RETURN_IF_ERROR(store.Scan(
        Family::kDevices, from, end, [&](absl::string_view key, absl::string_view value) {
          const absl::string_view of = key.substr(0, DeviceId::kSize);
          if (of != device) {
            // A device is not divided, so that it is counted once.
            if (read + of_window >= kMaxPartReads) {
              next = std::string(key);
              return false;
            }
            device = std::string(of);
          }
          ++of_window;
          if (!IsRegistrationKey(key)) return true;
          const auto registration = ParseRecord<Registration>(value);
          status.Update(registration.status());
          if (!registration.ok() || !IsOf(*registration, owner)) return true;
          const DeviceId id = *DeviceId::FromBytes(of);
          if (found.empty() || found.back().device != id) found.push_back({id, {}});
          found.back().registrations.insert(IdOfRegistrationKey(key));
          counts->set_messages(counts->messages() +
                               static_cast<uint64_t>(registration->pending_size()));
          counts->set_topic_subscriptions(counts->topic_subscriptions() + registration->topics());
          return true;
        }));
    read += of_window;
    window.Adapt(of_window, next.has_value());
    const bool at_end = !next.has_value() && end == DeviceWindow::EndOfFamily();
    if (next.has_value() || at_end || read >= kMaxPartReads) {
      BELLWIRE_RETURN_IF_ERROR(status);
      counts->set_devices(found.size());
      for (const OfDevice& one : found) {
        counts->set_tokens(counts->tokens() + one.registrations.size());
        BELLWIRE_RETURN_IF_ERROR(CountLives(store, one.device, one.registrations, counts));
      }
      if (at_end) return std::nullopt;
      return next.has_value() ? *next : end;
    }
    from = end;
  }
}

// Counts records with `is_one` in [from, to). Answers as CountDevices.
template <typename IsOne>
absl::StatusOr<std::optional<std::string>> CountRange(const KvReader& store, Family family,
                                                      const std::string& from,
                                                      const std::string& to, IsOne is_one,
                                                      uint64_t* count) {
  std::optional<std::string> next;
  size_t read = 0;
  BELLWIRE_RETURN_IF_ERROR(
      store.Scan(family, from, to, [&](absl::string_view key, absl::string_view) {
        if (read++ == kMaxPartReads) {
          next = std::string(key);
          return false;
        }
        *count += is_one(key) ? 1 : 0;
        return true;
      }));
  return next;
}

}  // namespace

absl::StatusOr<CountRecordsResponse> CountRecords(const KvReader& store,
                                                  const CountRecordsRequest& request,
                                                  const std::vector<uint32_t>& feeds) {
  BELLWIRE_ASSIGN_OR_RETURN(const Owner owner, FindOwner(store, request.of()));
  CountRecordsResponse response;
  RecordCounts* const counts = response.mutable_counts();
  const char part = request.cursor().empty() ? '\0' : request.cursor().front();
  const std::string from = request.cursor().empty() ? "" : request.cursor().substr(1);
  const auto go_on = [&](char next_part, const std::string& key) {
    response.set_next_cursor(absl::StrCat(std::string(1, next_part), key));
  };
  switch (part) {
    case '\0':
      BELLWIRE_RETURN_IF_ERROR(CountCatalogue(store, owner, counts));
      go_on(kDevices, "");
      return response;
    case kDevices: {
      BELLWIRE_ASSIGN_OR_RETURN(const std::optional<std::string> next,
                                CountDevices(store, owner, from, counts));
      if (next.has_value()) {
        go_on(kDevices, *next);
      } else if (owner.app_id.empty()) {
        go_on(kFeed, FeedBlockKey(owner.team_id, 0));
      }
      return response;
    }
    case kFeed: {
      uint64_t blocks = 0;
      const uint32_t feed = FeedOfName(TeamOfKey(from));
      BELLWIRE_ASSIGN_OR_RETURN(
          const std::optional<std::string> next,
          CountRange(store, Family::kFeeds, from, FeedBlocksEnd(FeedName(owner.team_id, feed)),
                     [](absl::string_view) { return true; }, &blocks));
      counts->set_receipt_blocks(blocks);
      const auto next_feed = std::upper_bound(feeds.begin(), feeds.end(), feed);
      if (next.has_value()) {
        go_on(kFeed, *next);
      } else if (next_feed != feeds.end()) {
        go_on(kFeed, FeedBlockKey(FeedName(owner.team_id, *next_feed), 0));
      } else {
        go_on(kTopics, TeamTopicsFrom(owner.team_id));
      }
      return response;
    }
    case kTopics: {
      uint64_t messages = 0;
      BELLWIRE_ASSIGN_OR_RETURN(
          const std::optional<std::string> next,
          CountRange(store, Family::kTopics, from, TeamTopicsEnd(owner.team_id),
                     [](absl::string_view key) { return IsTopicMessageKey(key); }, &messages));
      counts->set_topic_messages(messages);
      if (next.has_value()) go_on(kTopics, *next);
      return response;
    }
    default:
      return MakeError(absl::StatusCode::kInvalidArgument, "BAD_CURSOR",
                       "the cursor is none of this server's");
  }
}

}  // namespace bellwire::registry
