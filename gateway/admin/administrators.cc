#include "gateway/admin/administrators.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/error.h"
#include "openssl/sha.h"

namespace bellwire::gateway {
namespace {

absl::Status Bad(size_t line, absl::string_view why) {
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_ADMINISTRATORS",
                   absl::StrCat("line ", line, ": ", why));
}

// As NewShortId makes them.
bool IsTeamId(absl::string_view id) {
  return id.size() == 10 &&
         id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") == absl::string_view::npos;
}

std::optional<TokenDigest> ParseDigest(absl::string_view hex) {
  TokenDigest digest;
  const bool is_hex = std::all_of(hex.begin(), hex.end(), [](char c) {
    return absl::ascii_isxdigit(static_cast<unsigned char>(c));
  });
  if (hex.size() != 2 * digest.size() || !is_hex) return std::nullopt;
  const std::string bytes = absl::HexStringToBytes(hex);
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

}  // namespace

absl::string_view AdminRoleName(AdminRole role) {
  switch (role) {
    case AdminRole::kReadOnly:
      return "read-only";
    case AdminRole::kOperator:
      return "operator";
    case AdminRole::kOwner:
      break;
  }
  return "owner";
}

std::optional<AdminRole> ParseAdminRole(absl::string_view name) {
  for (const AdminRole role : {AdminRole::kReadOnly, AdminRole::kOperator, AdminRole::kOwner}) {
    if (AdminRoleName(role) == name) return role;
  }
  return std::nullopt;
}

TokenDigest DigestOfToken(absl::string_view token) {
  TokenDigest digest;
  static_assert(SHA256_DIGEST_LENGTH == sizeof(digest));
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest.data());
  return digest;
}

bool IsAdministratorName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxAdministratorNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' ||
                  c == '@' || c == '-';
         });
}

absl::StatusOr<std::vector<AdministratorEntry>> ParseAdministrators(absl::string_view text) {
  std::vector<AdministratorEntry> entries;
  std::set<std::string, std::less<>> names;
  size_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    const std::vector<absl::string_view> words =
        absl::StrSplit(line.substr(0, line.find('#')), absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    if (words.empty()) continue;
    if (words.size() != 3 && words.size() != 4) {
      return Bad(number, "it is not NAME ROLE SHA256 [TEAM]");
    }
    const std::optional<AdminRole> role = ParseAdminRole(words[1]);
    const std::optional<TokenDigest> digest = ParseDigest(words[2]);
    if (!IsAdministratorName(words[0])) return Bad(number, "this is no name");
    if (!role.has_value()) return Bad(number, "a role is owner, operator or read-only");
    if (!digest.has_value()) return Bad(number, "a SHA-256 in hex has 64 characters");
    const absl::string_view team_id = words.size() == 4 ? words[3] : absl::string_view();
    if (!team_id.empty() && !IsTeamId(team_id)) {
      return Bad(number, "a team's id has ten characters of [a-z2-7]");
    }
    if (!names.emplace(words[0]).second) return Bad(number, "the name is there twice");
    if (entries.size() >= kMaxAdministrators) {
      return Bad(number, absl::StrCat("more than ", kMaxAdministrators, " administrators"));
    }
    entries.push_back({{std::string(words[0]), *role, std::string(team_id)}, *digest});
  }
  return entries;
}

std::string RenderAdministrators(const std::vector<AdministratorEntry>& entries) {
  std::string text = "# NAME ROLE SHA256-OF-THE-TOKEN [TEAM]; `bellwire admin` writes this file.\n";
  for (const AdministratorEntry& entry : entries) {
    absl::StrAppend(&text, entry.administrator.name, " ", AdminRoleName(entry.administrator.role),
                    " ",
                    absl::BytesToHexString(absl::string_view(
                        reinterpret_cast<const char*>(entry.digest.data()), entry.digest.size())),
                    entry.administrator.team_id.empty() ? "" : " ", entry.administrator.team_id,
                    "\n");
  }
  return text;
}

}  // namespace bellwire::gateway
