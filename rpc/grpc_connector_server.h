#ifndef BELLWIRE_RPC_GRPC_CONNECTOR_SERVER_H_
#define BELLWIRE_RPC_GRPC_CONNECTOR_SERVER_H_

#include <memory>

#include "grpcpp/impl/service_type.h"
#include "rpc/connector_api.h"

namespace bellwire {

// bellwire.internal.v1.Connector in front of `connector`, for a grpc::ServerBuilder. At most
// kMaxConnectorInFlight requests of one stream are with `connector` at a time; further ones stay in
// HTTP/2's window. Answers that come after the stream broke are dropped. When a stream
// breaks (rather than being half-closed by a caller that has said all), `connector` gets `missed`.
//
// `connector` must outlive the grpc::Server; it may answer later than that, or never. Streams don't
// end by themselves: shut the server down with a deadline.
std::unique_ptr<grpc::Service> NewGrpcConnectorService(ConnectorApi* connector);

}  // namespace bellwire

#endif  // BELLWIRE_RPC_GRPC_CONNECTOR_SERVER_H_
