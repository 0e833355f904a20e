#ifndef BELLWIRE_REGISTRY_CHECK_TEAMS_KEY_H_
#define BELLWIRE_REGISTRY_CHECK_TEAMS_KEY_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {

// A key of Family::kTeams, kFeeds or kTopics, taken apart.
struct TeamsKey {
  std::string team_id;
  char kind = 0;
  absl::string_view rest;
};
inline std::optional<TeamsKey> ParseTeamsKey(absl::string_view key) {
  if (key.empty()) return std::nullopt;
  const size_t size = static_cast<uint8_t>(key[0]);
  if (size == 0 || key.size() < 1 + size + 1) return std::nullopt;
  return TeamsKey{std::string(key.substr(1, size)), key[1 + size], key.substr(size + 2)};
}

// The team of a feed's name (registry/keys/keys.h); a team id is its own.
inline absl::string_view TeamOfName(absl::string_view name) {
  if (FeedOfName(name) != 0) name.remove_suffix(1);
  return name;
}

// "team abc": for a person.
inline std::string TeamName(absl::string_view team_id) {
  return absl::StrCat("team ", absl::CHexEscape(team_id));
}

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_CHECK_TEAMS_KEY_H_
