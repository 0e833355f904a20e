#include "registry/catalogue/catalogue.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "google/protobuf/util/message_differencer.h"
#include "google/protobuf/util/time_util.h"
#include "registry/engine/records.h"
#include "registry/engine/store_error.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {
namespace {

using admin::v1::App;
using admin::v1::Key;
using admin::v1::Team;
using google::protobuf::util::MessageDifferencer;

// Whether both count towards the same limit of a team.
bool AreOfOneKind(const App&, const App&) { return true; }
bool AreOfOneKind(const Key& a, const Key& b) { return a.kind() == b.kind(); }

absl::Status LimitError(size_t limit, absl::string_view what) {
  return MakeError(absl::StatusCode::kResourceExhausted, "LIMIT_REACHED",
                   absl::StrCat("there are ", limit, " ", what, " already, which is the most"));
}

}  // namespace

absl::StatusOr<std::string> Catalogue::OwnerOf(absl::string_view name_key) const {
  BELLWIRE_ASSIGN_OR_RETURN(const std::optional<storage::v1::NameOwner> owner,
                            GetRecord<storage::v1::NameOwner>(*overlay_, Family::kNames, name_key));
  return owner.has_value() ? owner->team_id() : std::string();
}

absl::StatusOr<Team> Catalogue::GetTeam(absl::string_view team_id) const {
  BELLWIRE_ASSIGN_OR_RETURN(std::optional<Team> team,
                            GetRecord<Team>(*overlay_, Family::kTeams, TeamRecordKey(team_id)));
  if (!team.has_value() || team->has_delete_time()) return TeamNotFoundError(team_id);
  return *std::move(team);
}

template <typename Record>
absl::StatusOr<std::vector<Record>> Catalogue::List(absl::string_view from,
                                                    absl::string_view to) const {
  std::vector<Record> records;
  absl::Status status;
  BELLWIRE_RETURN_IF_ERROR(
      overlay_->Scan(Family::kTeams, from, to, [&](absl::string_view, absl::string_view value) {
        absl::StatusOr<Record> record = ParseRecord<Record>(value);
        status = record.status();
        if (record.ok()) records.push_back(*std::move(record));
        return status.ok();
      }));
  BELLWIRE_RETURN_IF_ERROR(status);
  return records;
}

template <typename Record>
absl::StatusOr<Record> Catalogue::PutNamed(const Record& record, const std::string& name_key,
                                           const std::string& record_key,
                                           absl::string_view list_from, absl::string_view list_to,
                                           size_t limit, const absl::Status& taken) {
  BELLWIRE_RETURN_IF_ERROR(GetTeam(record.team_id()).status());
  BELLWIRE_ASSIGN_OR_RETURN(const std::string owner, OwnerOf(name_key));
  if (!owner.empty() && owner != record.team_id()) return taken;
  BELLWIRE_ASSIGN_OR_RETURN(const std::optional<Record> present,
                            GetRecord<Record>(*overlay_, Family::kTeams, record_key));
  if (present.has_value()) {
    if (!MessageDifferencer::Equals(*present, record)) return taken;
    return record;
  }
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<Record> others, List<Record>(list_from, list_to));
  const auto of_its_kind = [&](const Record& other) { return AreOfOneKind(other, record); };
  if (static_cast<size_t>(std::count_if(others.begin(), others.end(), of_its_kind)) >= limit) {
    return LimitError(limit, "of them in this team");
  }
  storage::v1::NameOwner name;
  name.set_team_id(record.team_id());
  overlay_->Put(Family::kNames, name_key, name.SerializeAsString());
  overlay_->Put(Family::kTeams, record_key, record.SerializeAsString());
  return record;
}

absl::StatusOr<Team> Catalogue::PutTeam(const Team& team) {
  const std::string key = TeamRecordKey(team.team_id());
  BELLWIRE_ASSIGN_OR_RETURN(const std::optional<Team> present,
                            GetRecord<Team>(*overlay_, Family::kTeams, key));
  if (present.has_value()) {
    if (MessageDifferencer::Equals(*present, team)) return team;
    return MakeError(absl::StatusCode::kAlreadyExists, "TEAM_EXISTS",
                     absl::StrCat("another team has the id \"", team.team_id(), "\""));
  }
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<Team> others, AllTeams());
  if (others.size() >= kMaxTeams) {
    return LimitError(kMaxTeams, "teams on this server, counting deleted ones,");
  }
  overlay_->Put(Family::kTeams, key, team.SerializeAsString());
  return team;
}

absl::StatusOr<Team> Catalogue::UpdateTeam(const admin::v1::UpdateTeamRequest& request) {
  BELLWIRE_ASSIGN_OR_RETURN(Team team, GetTeam(request.team_id()));
  if (request.has_apns_store_one()) team.set_apns_store_one(request.apns_store_one());
  overlay_->Put(Family::kTeams, TeamRecordKey(team.team_id()), team.SerializeAsString());
  return team;
}

absl::StatusOr<App> Catalogue::PutApp(const App& app) {
  return PutNamed(
      app, AppNameKey(app.app_id()), TeamAppKey(app.team_id(), app.app_id()),
      TeamAppsFrom(app.team_id()), TeamAppsEnd(app.team_id()), kMaxAppsPerTeam,
      MakeError(absl::StatusCode::kAlreadyExists, "APP_EXISTS",
                absl::StrCat("the app id \"", app.app_id(), "\" is taken on this server")));
}

absl::StatusOr<Key> Catalogue::PutKey(const Key& key) {
  const bool alias = key.kind() == Key::ALIAS;
  return PutNamed(key, KeyNameKey(key.key_id()), TeamKeyKey(key.team_id(), key.key_id()),
                  TeamKeysFrom(key.team_id()), TeamKeysEnd(key.team_id()),
                  alias ? kMaxAliasesPerTeam : kMaxKeysPerTeam,
                  MakeError(absl::StatusCode::kAlreadyExists, alias ? "ALIAS_EXISTS" : "KEY_EXISTS",
                            absl::StrCat(alias ? "the alias" : "the key id", " \"", key.key_id(),
                                         "\" is taken", alias ? ": delete it first" : "")));
}

absl::StatusOr<std::vector<Team>> Catalogue::ListTeams() const {
  BELLWIRE_ASSIGN_OR_RETURN(std::vector<Team> teams, AllTeams());
  teams.erase(std::remove_if(teams.begin(), teams.end(),
                             [](const Team& team) { return team.has_delete_time(); }),
              teams.end());
  return teams;
}

absl::StatusOr<std::vector<Team>> Catalogue::AllTeams() const {
  // Hops from team to team: between their own records lie those of their apps and keys.
  std::vector<Team> teams;
  std::string from;
  // After every length that an id can have.
  const std::string end(1, '\xff');
  while (true) {
    std::string team_id;
    BELLWIRE_RETURN_IF_ERROR(
        overlay_->Scan(Family::kTeams, from, end, [&](absl::string_view key, absl::string_view) {
          const size_t size = static_cast<uint8_t>(key[0]);
          team_id = std::string(key.substr(1, size));
          return false;
        }));
    if (team_id.empty()) return teams;
    BELLWIRE_ASSIGN_OR_RETURN(std::optional<Team> team,
                              GetRecord<Team>(*overlay_, Family::kTeams, TeamRecordKey(team_id)));
    if (!team.has_value()) return StoreCorruptError("records of a team without the team's own");
    teams.push_back(*std::move(team));
    from = TeamEnd(team_id);
  }
}

absl::StatusOr<std::vector<App>> Catalogue::ListApps(absl::string_view team_id) const {
  BELLWIRE_RETURN_IF_ERROR(GetTeam(team_id).status());
  return List<App>(TeamAppsFrom(team_id), TeamAppsEnd(team_id));
}

absl::StatusOr<std::vector<Key>> Catalogue::ListKeys(absl::string_view team_id) const {
  BELLWIRE_RETURN_IF_ERROR(GetTeam(team_id).status());
  return List<Key>(TeamKeysFrom(team_id), TeamKeysEnd(team_id));
}

absl::StatusOr<Key> Catalogue::FindKey(absl::string_view key_id) const {
  BELLWIRE_ASSIGN_OR_RETURN(const std::string owner, OwnerOf(KeyNameKey(key_id)));
  if (owner.empty()) return KeyNotFoundError(key_id);
  BELLWIRE_ASSIGN_OR_RETURN(std::optional<Key> key,
                            GetRecord<Key>(*overlay_, Family::kTeams, TeamKeyKey(owner, key_id)));
  if (!key.has_value()) return KeyNotFoundError(key_id);
  return *std::move(key);
}

absl::StatusOr<Key> Catalogue::GetKey(absl::string_view key_id) const {
  BELLWIRE_ASSIGN_OR_RETURN(Key key, FindKey(key_id));
  BELLWIRE_ASSIGN_OR_RETURN(const Team team, GetTeam(key.team_id()));
  key.set_apns_store_one(team.apns_store_one());
  return key;
}

absl::StatusOr<Key> Catalogue::RevokeKey(absl::string_view key_id, int64_t now_ms) {
  BELLWIRE_ASSIGN_OR_RETURN(Key key, FindKey(key_id));
  if (key.has_revoke_time()) return key;
  *key.mutable_revoke_time() = google::protobuf::util::TimeUtil::MillisecondsToTimestamp(now_ms);
  if (key.kind() == Key::ALIAS) {
    Delete(key);
    return key;
  }
  overlay_->Put(Family::kTeams, TeamKeyKey(key.team_id(), key_id), key.SerializeAsString());
  return key;
}

absl::StatusOr<Team> Catalogue::DeleteTeam(absl::string_view team_id, int64_t now_ms) {
  BELLWIRE_ASSIGN_OR_RETURN(Team team, GetTeam(team_id));
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<App> apps, ListApps(team_id));
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<Key> keys, ListKeys(team_id));
  for (const App& app : apps) Delete(app);
  for (const Key& key : keys) Delete(key);
  // Messages of its apps still end, and their receipts go to a feed, which is a team's.
  *team.mutable_delete_time() = google::protobuf::util::TimeUtil::MillisecondsToTimestamp(now_ms);
  overlay_->Put(Family::kTeams, TeamRecordKey(team_id), team.SerializeAsString());
  return team;
}

absl::StatusOr<App> Catalogue::DeleteApp(absl::string_view app_id) {
  BELLWIRE_ASSIGN_OR_RETURN(App app, GetApp(app_id));
  Delete(app);
  return app;
}

void Catalogue::Delete(const App& app) {
  overlay_->Delete(Family::kTeams, TeamAppKey(app.team_id(), app.app_id()));
  overlay_->Delete(Family::kNames, AppNameKey(app.app_id()));
}

void Catalogue::Delete(const Key& key) {
  overlay_->Delete(Family::kTeams, TeamKeyKey(key.team_id(), key.key_id()));
  overlay_->Delete(Family::kNames, KeyNameKey(key.key_id()));
}

absl::StatusOr<App> Catalogue::GetApp(absl::string_view app_id) const {
  BELLWIRE_ASSIGN_OR_RETURN(const std::string owner, OwnerOf(AppNameKey(app_id)));
  if (!owner.empty()) {
    BELLWIRE_ASSIGN_OR_RETURN(std::optional<App> app,
                              GetRecord<App>(*overlay_, Family::kTeams, TeamAppKey(owner, app_id)));
    if (app.has_value()) return *std::move(app);
  }
  return MakeError(absl::StatusCode::kNotFound, "UNKNOWN_APP",
                   absl::StrCat("no developer has registered the app id \"", app_id,
                                "\" on this server (bellwire app create)"));
}

}  // namespace bellwire::registry
