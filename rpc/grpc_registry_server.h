#ifndef BELLWIRE_RPC_GRPC_REGISTRY_SERVER_H_
#define BELLWIRE_RPC_GRPC_REGISTRY_SERVER_H_

#include <memory>
#include <vector>

#include "grpcpp/impl/service_type.h"
#include "rpc/registry_api.h"

namespace bellwire {

// The contracts of `registry`, each as its service of bellwire.internal.v1, but for that of
// sessions (rpc/grpc_session_server.h), for a grpc::ServerBuilder. Errors keep their reasons
// (rpc/grpc_status.h). `registry` must outlive the grpc::Server, and answer whatever it was asked
// before that is destroyed: Shutdown waits for it.
std::vector<std::unique_ptr<grpc::Service>> NewGrpcRegistryServices(UnaryRegistryApi* registry);

}  // namespace bellwire

#endif  // BELLWIRE_RPC_GRPC_REGISTRY_SERVER_H_
