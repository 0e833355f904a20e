#ifndef BELLWIRE_REGISTRY_CATALOGUE_CATALOGUE_H_
#define BELLWIRE_REGISTRY_CATALOGUE_CATALOGUE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "registry/engine/overlay.h"

namespace bellwire::registry {

// Aliases of one team, beside its keys of each other kind. All of them are listed in one answer.
inline constexpr size_t kMaxAliasesPerTeam = 1000;

// Teams, their apps and their keys, aliases among them: the part of Store about them.
//
// App ids and key ids are unique on the whole server, while a transaction touches one team. So a
// put is two steps, each within one owner: the name is claimed for the team, then the record is put
// into the team. A claim without record, which a crash between the two would leave, is invisible;
// the same team's next put of that name completes it.
//
// Changes are staged in the overlay. Not thread-safe.
class Catalogue {
 public:
  explicit Catalogue(Overlay* overlay) : overlay_(overlay) {}

  absl::StatusOr<admin::v1::Team> PutTeam(const admin::v1::Team& team);
  absl::StatusOr<admin::v1::Team> UpdateTeam(const admin::v1::UpdateTeamRequest& request);
  absl::StatusOr<admin::v1::App> PutApp(const admin::v1::App& app);
  absl::StatusOr<admin::v1::Key> PutKey(const admin::v1::Key& key);
  absl::StatusOr<std::vector<admin::v1::Team>> ListTeams() const;
  absl::StatusOr<std::vector<admin::v1::App>> ListApps(absl::string_view team_id) const;
  absl::StatusOr<std::vector<admin::v1::Key>> ListKeys(absl::string_view team_id) const;
  // With the settings of its team.
  absl::StatusOr<admin::v1::Key> GetKey(absl::string_view key_id) const;
  // An alias is deleted, and its name is free again.
  absl::StatusOr<admin::v1::Key> RevokeKey(absl::string_view key_id, int64_t now_ms);
  // At most kMaxAppsPerTeam, kMaxKeysPerTeam of each kind and kMaxAliasesPerTeam records and their
  // names go with it.
  absl::StatusOr<admin::v1::Team> DeleteTeam(absl::string_view team_id, int64_t now_ms);
  absl::StatusOr<admin::v1::App> DeleteApp(absl::string_view app_id);
  //   NOT_FOUND UNKNOWN_APP
  absl::StatusOr<admin::v1::App> GetApp(absl::string_view app_id) const;
  // TEAM_NOT_FOUND if there is none, or if it was deleted.
  absl::StatusOr<admin::v1::Team> GetTeam(absl::string_view team_id) const;

 private:
  // The team that has claimed a name; empty: none.
  absl::StatusOr<std::string> OwnerOf(absl::string_view name_key) const;
  // Deleted ones too.
  absl::StatusOr<std::vector<admin::v1::Team>> AllTeams() const;
  // As it is stored.
  absl::StatusOr<admin::v1::Key> FindKey(absl::string_view key_id) const;
  void Delete(const admin::v1::App& app);
  void Delete(const admin::v1::Key& key);
  template <typename Record>
  absl::StatusOr<std::vector<Record>> List(absl::string_view from, absl::string_view to) const;
  // Claims the name and puts the record, unless that very record lies there. `taken`: the error if
  // the name is another's, or names another record of this team.
  template <typename Record>
  absl::StatusOr<Record> PutNamed(const Record& record, const std::string& name_key,
                                  const std::string& record_key, absl::string_view list_from,
                                  absl::string_view list_to, size_t limit,
                                  const absl::Status& taken);

  Overlay* const overlay_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_CATALOGUE_CATALOGUE_H_
