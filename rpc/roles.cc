#include "rpc/roles.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace bellwire {
namespace {

constexpr Role kRoles[] = {Role::kGateway, Role::kConnector, Role::kRegistry};

struct Row {
  // A method, or with a slash at its end all others of a service.
  absl::string_view path;
  Roles callers;
};

// The first row that fits decides.
const std::vector<Row>& Table() {
  static const auto* const kTable = new std::vector<Row>{
      {"/bellwire.internal.v1.Mailbox/", {Role::kGateway}},
      {"/bellwire.internal.v1.Session/", {Role::kConnector}},
      {"/bellwire.internal.v1.Catalogue/", {Role::kGateway}},
      {"/bellwire.internal.v1.Keys/", {Role::kGateway}},
      {"/bellwire.internal.v1.Feed/", {Role::kGateway}},
      {"/bellwire.internal.v1.Network/", {Role::kConnector}},
      {"/bellwire.internal.v1.Partition/", {Role::kGateway, Role::kConnector}},
      {"/bellwire.internal.v1.Store/", {Role::kGateway}},
      // An app on a device does it, and so does a team's backend.
      {"/bellwire.internal.v1.Topic/ChangeSubscription", {Role::kGateway, Role::kConnector}},
      {"/bellwire.internal.v1.Topic/", {Role::kGateway}},
      {"/bellwire.internal.v1.Device/", {Role::kGateway}},
      {"/grpc.health.v1.Health/", Roles::All()},
  };
  return *kTable;
}

}  // namespace

absl::string_view RoleName(Role role) {
  switch (role) {
    case Role::kGateway:
      return "gateway";
    case Role::kConnector:
      return "connector";
    case Role::kRegistry:
      break;
  }
  return "registry";
}

std::string RoleUri(Role role) { return absl::StrCat("bellwire:role:", RoleName(role)); }

std::string RoleServerName(Role role) { return absl::StrCat("bellwire-", RoleName(role)); }

Roles Roles::FromUris(const std::vector<std::string>& uris) {
  Roles roles;
  for (const Role role : kRoles) {
    if (std::find(uris.begin(), uris.end(), RoleUri(role)) != uris.end()) roles.bits_ |= Bit(role);
  }
  return roles;
}

std::vector<Role> Roles::List() const {
  std::vector<Role> list;
  std::copy_if(std::begin(kRoles), std::end(kRoles), std::back_inserter(list),
               [this](Role role) { return Has(role); });
  return list;
}

std::string Roles::Names() const {
  return absl::StrJoin(List(), ", ",
                       [](std::string* out, Role role) { absl::StrAppend(out, RoleName(role)); });
}

Roles CallersOf(absl::string_view path) {
  for (const Row& row : Table()) {
    const bool is_service = row.path.back() == '/';
    if (is_service ? path.substr(0, row.path.size()) == row.path : path == row.path) {
      return row.callers;
    }
  }
  return Roles();
}

}  // namespace bellwire
