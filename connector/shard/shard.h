#ifndef BELLWIRE_CONNECTOR_SHARD_SHARD_H_
#define BELLWIRE_CONNECTOR_SHARD_SHARD_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "connector/session/gauge.h"
#include "connector/session/heartbeat_range.h"
#include "connector/shard/connector_counters.h"
#include "connector/shard/device_table.h"
#include "connector/shard/service.h"
#include "net/socket/descriptor_budget.h"
#include "net/tls/tls_context.h"
#include "rpc/registry_api.h"

namespace bellwire::connector {

// What all shards of one connector share. Thread-safe parts; outlives the shards.
struct ShardEnvironment {
  const Clock* clock;
  SessionApi* sessions;
  NetworkApi* networks;
  TopicApi* topics;
  ConnectorService* service;
  std::shared_ptr<net::TlsServerContext> tls;
  std::string connector_address;
  uint64_t connector_incarnation;
  absl::Duration login_timeout;
  std::vector<std::string> drain_to;
  std::string public_url;
  HeartbeatRange heartbeat_range;
  size_t max_connections_per_shard;
  // Of all sockets of the device port. Null: they are not counted.
  net::DescriptorBudget* descriptors = nullptr;

  DeviceTable devices;
  // Open connections; bytes sent and not acknowledged.
  Gauge connections;
  Gauge bytes_in_flight;
  // Connections from the start of TLS until they have a session.
  Gauge logins;
  ConnectorCounters counters;
};

// A thread with a loop, a listener and the connections that it accepted. Everything of a connection
// happens on this thread; what other threads have for it comes through ConnectorEnd.
class Shard : public ConnectorEnd {
 public:
  // Listens on `address`, beside the shard with index 0 if it isn't that; port 0 takes a free one.
  // `index` goes into the ids of its sessions. Errors as net::TlsServer::Listen.
  static absl::StatusOr<std::unique_ptr<Shard>> Listen(ShardEnvironment* environment, int index,
                                                       absl::string_view address);

  // REQUIRES: stopped, or never run.
  ~Shard() override = default;

  // "host:port" with the real port.
  virtual const std::string& address() const = 0;
  // Starts the thread. Call it once.
  virtual void Run() = 0;
  // Closes everything at once and joins the thread.
  virtual void Stop() = 0;

  // Thread-safe, as ConnectorEnd is.

  // What handshakes that begin a moment later use.
  virtual void SetTls(std::shared_ptr<net::TlsServerContext> tls) = 0;
  // Stops accepting and sends every agent away within `time`.
  virtual void StartDrain(absl::Duration time) = 0;
  // Waits until a drain is over, no connection is left and the registry has answered everything.
  // False if it takes longer than `time`.
  virtual bool WaitDrained(absl::Duration time) = 0;
  // Whether the thread goes round within `patience`. Not for that thread.
  virtual bool Responds(absl::Duration patience) = 0;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SHARD_SHARD_H_
