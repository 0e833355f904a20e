#ifndef BELLWIRE_GATEWAY_ADMIN_ADMINISTRATORS_H_
#define BELLWIRE_GATEWAY_ADMIN_ADMINISTRATORS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// Who may administer a server, beside whoever has its admin.token: DATA_DIR/admins, a line each:
//
//   NAME ROLE SHA256-OF-THE-TOKEN [TEAM]
//
// With a team its role holds in that team alone, and nowhere else does it have any.
//
// A `#` begins a comment. `bellwire admin` writes it; a gateway takes changes up with the next
// call.
namespace bellwire::gateway {

inline constexpr size_t kMaxAdministrators = 256;
inline constexpr size_t kMaxAdministratorNameBytes = 64;

// Each may do what those before it may.
enum class AdminRole : uint8_t {
  // Lists.
  kReadOnly,
  // And makes and changes teams, apps, keys and aliases, and revokes keys.
  kOperator,
  // And deletes teams and apps, and makes backups, which hold every key of the server.
  kOwner,
};
// "read-only"
absl::string_view AdminRoleName(AdminRole role);
std::optional<AdminRole> ParseAdminRole(absl::string_view name);

// Who calls.
struct Administrator {
  std::string name;
  AdminRole role = AdminRole::kReadOnly;
  // The only team that it may look at and change. Empty: the whole server.
  std::string team_id = {};
};

using TokenDigest = std::array<uint8_t, 32>;
// SHA-256.
TokenDigest DigestOfToken(absl::string_view token);

struct AdministratorEntry {
  Administrator administrator;
  TokenDigest digest;
};

// Whether it may name an administrator: 1 to 64 characters of [a-zA-Z0-9._@-].
bool IsAdministratorName(absl::string_view name);

//   INVALID_ARGUMENT BAD_ADMINISTRATORS: names the line
absl::StatusOr<std::vector<AdministratorEntry>> ParseAdministrators(absl::string_view text);
std::string RenderAdministrators(const std::vector<AdministratorEntry>& entries);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_ADMIN_ADMINISTRATORS_H_
