#include "rpc/grpc_registry_server.h"

#include <utility>

#include "bellwire/internal/v1/internal.grpc.pb.h"
#include "rpc/grpc_status.h"
#include "rpc/registry_methods.h"

namespace bellwire {
namespace {

class GrpcRegistryService final : public internal::v1::Registry::CallbackService {
 public:
  explicit GrpcRegistryService(RegistryApi* registry) : registry_(registry) {}

#define BELLWIRE_SERVE(Method, Request, Response)                                                \
  grpc::ServerUnaryReactor* Method(grpc::CallbackServerContext* context, const Request* request, \
                                   Response* response) override {                                \
    return Serve(context, *request, response, &RegistryApi::Method);                             \
  }
  BELLWIRE_REGISTRY_METHODS(BELLWIRE_SERVE)
#undef BELLWIRE_SERVE

 private:
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* Serve(grpc::CallbackServerContext* context, const Request& request,
                                  Response* response,
                                  void (RegistryApi::*method)(Request, Done<Response>)) {
    // Reactor and response live until Finish, also if the caller goes away in the meantime.
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    (registry_->*method)(request, [reactor, response](absl::StatusOr<Response> result) {
      if (result.ok()) *response = *std::move(result);
      reactor->Finish(ToGrpcStatus(result.status()));
    });
    return reactor;
  }

  RegistryApi* const registry_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewGrpcRegistryService(RegistryApi* registry) {
  return std::make_unique<GrpcRegistryService>(registry);
}

}  // namespace bellwire
