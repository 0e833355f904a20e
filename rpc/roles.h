#ifndef BELLWIRE_RPC_ROLES_H_
#define BELLWIRE_RPC_ROLES_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

// Which daemon may call what at another one's internal port (docs/decisions/roles.md). A daemon's
// certificate names its roles as URIs among its alternative names.
namespace bellwire {

enum class Role : uint8_t { kGateway, kConnector, kRegistry };

// "gateway"
absl::string_view RoleName(Role role);
// What stands in a certificate: "bellwire:role:gateway".
std::string RoleUri(Role role);
// The host name in the certificate of a daemon that serves in this role: "bellwire-registry". Its
// clients ask for it, so that one daemon can't pose as another.
std::string RoleServerName(Role role);

// A set of them. Immutable.
class Roles {
 public:
  Roles() = default;
  Roles(std::initializer_list<Role> roles) {
    for (const Role role : roles) bits_ |= Bit(role);
  }
  static Roles All() { return {Role::kGateway, Role::kConnector, Role::kRegistry}; }
  // Those that these URIs name; others are none.
  static Roles FromUris(const std::vector<std::string>& uris);

  bool empty() const { return bits_ == 0; }
  bool Has(Role role) const { return (bits_ & Bit(role)) != 0; }
  bool HasAnyOf(Roles others) const { return (bits_ & others.bits_) != 0; }
  std::vector<Role> List() const;
  // "connector, registry"
  std::string Names() const;

  friend bool operator==(Roles a, Roles b) = default;

 private:
  static uint8_t Bit(Role role) { return static_cast<uint8_t>(1u << static_cast<uint8_t>(role)); }

  uint8_t bits_ = 0;
};

// Who may call this method, "/bellwire.internal.v1.Mailbox/Append". None: nobody may.
Roles CallersOf(absl::string_view path);

}  // namespace bellwire

#endif  // BELLWIRE_RPC_ROLES_H_
