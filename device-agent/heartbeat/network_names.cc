#include "device-agent/heartbeat/network_names.h"

#include <net/if.h>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "common/log.h"

namespace bellwire::agent {
namespace {

NetworkKey::Kind KindOf(const v1::SetNetwork& request) {
  switch (request.kind()) {
    case v1::SetNetwork::ETHERNET:
      return NetworkKey::Kind::kEthernet;
    case v1::SetNetwork::WIFI:
      return NetworkKey::Kind::kWifi;
    case v1::SetNetwork::CELLULAR:
      return NetworkKey::Kind::kCellular;
    default:
      return NetworkKey::Kind::kUnknown;
  }
}

}  // namespace

absl::Status NetworkNames::Set(absl::string_view interface, NetworkKey::Kind kind,
                               absl::string_view name) {
  if (interface.empty() || interface.size() >= IFNAMSIZ) {
    return absl::InvalidArgumentError(
        absl::StrCat("the name of an interface has 1 to ", IFNAMSIZ - 1, " bytes"));
  }
  if (name.empty() || name.size() > kMaxNetworkNameBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("the name of a network has 1 to ", kMaxNetworkNameBytes, " bytes"));
  }
  if (kind == NetworkKey::Kind::kUnknown) {
    return absl::InvalidArgumentError("a network with a name is ETHERNET, WIFI or CELLULAR");
  }
  Forget(interface);
  if (told_.size() >= kMaxNamedInterfaces) told_.erase(told_.begin());
  told_.push_back({std::string(interface), {kind, DigestOfName(kind, name)}});
  return absl::OkStatus();
}

void NetworkNames::Forget(absl::string_view interface) {
  std::erase_if(told_, [&](const auto& told) { return told.first == interface; });
}

NetworkKey NetworkNames::Complete(NetworkKey key) const {
  const auto it =
      absl::c_find_if(told_, [&](const auto& told) { return told.first == key.interface; });
  if (it == told_.end()) return key;
  key.kind = it->second.kind;
  key.name = it->second.name;
  return key;
}

absl::Status TakeNetworkName(const v1::SetNetwork& request, absl::string_view default_interface,
                             NetworkNames* names) {
  const absl::string_view interface =
      request.interface().empty() ? default_interface : absl::string_view(request.interface());
  if (interface.empty()) {
    return absl::InvalidArgumentError("there is no default route: say which interface it is");
  }
  if (request.name().empty() && request.kind() == v1::SetNetwork::KIND_UNSPECIFIED) {
    names->Forget(interface);
    LogInfo("network_name_forgotten", {{"interface", interface}});
    return absl::OkStatus();
  }
  const NetworkKey::Kind kind = KindOf(request);
  if (absl::Status s = names->Set(interface, kind, request.name()); !s.ok()) return s;
  LogInfo("network_named", {{"interface", interface}, {"kind", Name(kind)}});
  return absl::OkStatus();
}

}  // namespace bellwire::agent
