#ifndef BELLWIRE_RPC_CONNECTOR_API_H_
#define BELLWIRE_RPC_CONNECTOR_API_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "bellwire/internal/v1/internal.pb.h"

namespace bellwire {

// A connector's internal port, as the registry and other connectors see it: one request of
// bellwire.internal.v1.Connector.Exchange at a time. Implemented by the connector itself
// (connector/shard/service.h) and by a client that keeps one long-lived gRPC stream
// (rpc/grpc_connector_client.h). Thread-safe, never blocks.
class ConnectorApi {
 public:
  // Called exactly once, on any thread, possibly before Exchange returns. A connector that can't be
  // reached or died before it answered counts as NO_SESSION: either its sessions are gone with it,
  // or only the way there broke, and they make up for what got lost (ConnectorRequest.missed):
  // whoever serves a connector to others says so when a caller's stream breaks, and a caller that
  // gave up on deliveries says so as soon as it gets through.
  using ExchangeDone =
      absl::AnyInvocable<void(internal::v1::ConnectorResponse::Outcome outcome) &&>;

  virtual ~ConnectorApi() = default;

  // `request.correlation_id` is ignored.
  virtual void Exchange(internal::v1::ConnectorRequest request, ExchangeDone done) = 0;
};

// Finds the connector behind a Route. Thread-safe.
class ConnectorDirectory {
 public:
  virtual ~ConnectorDirectory() = default;
  // `address` is Route.connector_address. Never null. A remote connector is dialled on first use; a
  // stream that broke is dialled again with back-off, and answers NO_SESSION meanwhile.
  virtual std::shared_ptr<ConnectorApi> Find(absl::string_view address) = 0;
};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_CONNECTOR_API_H_
