#ifndef BELLWIRE_GATEWAY_ADMIN_ADMIN_SERVICE_H_
#define BELLWIRE_GATEWAY_ADMIN_ADMIN_SERVICE_H_

#include <memory>

#include "bellwire/admin/v1/admin.grpc.pb.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "common/clock.h"
#include "gateway/admin/admin_credential.h"
#include "gateway/doors/grpc/drain_signal.h"
#include "gateway/doors/grpc/unary_call.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// bellwire.admin.v1.AdminService on gRPC's callback API: checks the admin token and the request,
// makes ids and key pairs, and leaves the rest to the registry. Thread-safe; outlives its calls
// (shut the grpc::Server down first).
class AdminService final : public admin::v1::AdminService::CallbackService {
 public:
  // None is owned. They outlive the service, and its calls.
  AdminService(AdminCredential* credential, DrainSignal* drain, RegistryApi* registry,
               const Clock* clock)
      : credential_(credential), drain_(drain), registry_(registry), clock_(clock) {}

  grpc::ServerUnaryReactor* CreateTeam(grpc::CallbackServerContext* context,
                                       const admin::v1::CreateTeamRequest* request,
                                       admin::v1::Team* response) override;
  grpc::ServerUnaryReactor* ListTeams(grpc::CallbackServerContext* context,
                                      const admin::v1::ListTeamsRequest* request,
                                      admin::v1::ListTeamsResponse* response) override;
  grpc::ServerUnaryReactor* CreateApp(grpc::CallbackServerContext* context,
                                      const admin::v1::CreateAppRequest* request,
                                      admin::v1::App* response) override;
  grpc::ServerUnaryReactor* ListApps(grpc::CallbackServerContext* context,
                                     const admin::v1::ListAppsRequest* request,
                                     admin::v1::ListAppsResponse* response) override;
  grpc::ServerUnaryReactor* CreateKey(grpc::CallbackServerContext* context,
                                      const admin::v1::CreateKeyRequest* request,
                                      admin::v1::CreateKeyResponse* response) override;
  grpc::ServerUnaryReactor* ListKeys(grpc::CallbackServerContext* context,
                                     const admin::v1::ListKeysRequest* request,
                                     admin::v1::ListKeysResponse* response) override;
  grpc::ServerUnaryReactor* RevokeKey(grpc::CallbackServerContext* context,
                                      const admin::v1::RevokeKeyRequest* request,
                                      admin::v1::Key* response) override;

 private:
  // A call that came in. It is answered already if the server drains, or without the admin token:
  //   UNAUTHENTICATED MISSING_CREDENTIAL, BAD_CREDENTIAL · those of AdminCredential
  std::shared_ptr<UnaryCall> Open(const grpc::CallbackServerContext& context) const;

  AdminCredential* const credential_;
  DrainSignal* const drain_;
  RegistryApi* const registry_;
  const Clock* const clock_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_ADMIN_ADMIN_SERVICE_H_
