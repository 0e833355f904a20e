#ifndef BELLWIRE_CONNECTOR_SHARD_SERVICE_H_
#define BELLWIRE_CONNECTOR_SHARD_SERVICE_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "common/ids.h"
#include "rpc/connector_api.h"

namespace bellwire::connector {

// A connector as its registries see it: finds the shard of a session. Thread-safe once SetShards
// was called.
class ConnectorService final : public ConnectorEnd {
 public:
  // What Routes to this connector say.
  explicit ConnectorService(uint64_t connector_incarnation)
      : connector_incarnation_(connector_incarnation) {}

  // Call it once, before the first hand-over. The shards must outlive their use.
  void SetShards(std::vector<ConnectorEnd*> shards) { shards_ = std::move(shards); }

  // False for a Route of another connector or of an earlier life of this one.
  bool HandOver(internal::v1::ConnectorRequest request) override;
  void OnStreamBroken(const Devices& devices) override;
  void OnStreamOpened(const Devices& devices) override;

  // The device has a newer session here than this one of ours.
  void Evict(uint64_t session_id, const DeviceId& device_id, uint64_t winning_login_number);

 private:
  const uint64_t connector_incarnation_;
  std::vector<ConnectorEnd*> shards_;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SHARD_SERVICE_H_
