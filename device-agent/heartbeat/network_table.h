#ifndef BELLWIRE_DEVICE_AGENT_HEARTBEAT_NETWORK_TABLE_H_
#define BELLWIRE_DEVICE_AGENT_HEARTBEAT_NETWORK_TABLE_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "device-agent/heartbeat/interval_search.h"
#include "device-agent/heartbeat/network_key.h"

namespace bellwire::agent {

// Home, work, a few carriers, hotels: who comes back after 32 others learns anew.
inline constexpr size_t kMaxKnownNetworks = 32;

// What is known about the networks that the phone was in; the one that was not used for longest
// gives way. Thread-compatible.
class NetworkTable {
 public:
  // From Serialize(). INVALID_ARGUMENT: these bytes are no table. Values that no search comes to
  // are brought back into range, or their network is left out: a damaged file costs a search at
  // worst.
  static absl::StatusOr<NetworkTable> Parse(absl::string_view bytes);
  // At most 2 KiB. A probe under way is kept as one that is due.
  std::string Serialize() const;

  // The record of this network, made if it is not there. Valid until the next call.
  NetworkRecord* Use(const NetworkId& id);

  // Nullptr: it is not known. Valid until the next Use().
  const NetworkRecord* Find(const NetworkId& id) const;

  size_t size() const { return networks_.size(); }

 private:
  // The last one used comes first.
  std::vector<std::pair<NetworkId, NetworkRecord>> networks_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_HEARTBEAT_NETWORK_TABLE_H_
