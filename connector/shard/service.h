#ifndef BELLWIRE_CONNECTOR_SHARD_SERVICE_H_
#define BELLWIRE_CONNECTOR_SHARD_SERVICE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "connector/session/evictor.h"
#include "rpc/connector_api.h"

namespace bellwire::connector {

// Where a shard takes requests. Thread-safe.
class ShardPort {
 public:
  virtual ~ShardPort() = default;
  // `done` is called exactly once, on any thread.
  virtual void Submit(internal::v1::ConnectorRequest request, ConnectorApi::ExchangeDone done) = 0;
  // Deliveries may have got lost, or sessions be forgotten: all are to look into their mailboxes.
  virtual void CatchUp() = 0;
};

// The internal port of a connector: finds the shard of a session, and the connector of one that is
// elsewhere. Thread-safe once SetShards was called.
class ConnectorService final : public ConnectorApi, public Evictor {
 public:
  // What Routes to this connector say. `directory` may be null: there are no other connectors.
  ConnectorService(std::string connector_address, uint64_t connector_incarnation,
                   ConnectorDirectory* directory);

  // Call it once, before the first Exchange. The shards must outlive their use.
  void SetShards(std::vector<ShardPort*> shards) { shards_ = std::move(shards); }

  // NO_SESSION for a Route of another connector or of an earlier life of this one.
  void Exchange(internal::v1::ConnectorRequest request, ExchangeDone done) override;

  void Evict(const internal::v1::Route& loser, const DeviceId& device_id,
             uint64_t winning_login_number) override;

 private:
  const std::string connector_address_;
  const uint64_t connector_incarnation_;
  ConnectorDirectory* const directory_;
  std::vector<ShardPort*> shards_;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SHARD_SERVICE_H_
