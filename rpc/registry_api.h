#ifndef BELLWIRE_RPC_REGISTRY_API_H_
#define BELLWIRE_RPC_REGISTRY_API_H_

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "bellwire/internal/v1/internal.pb.h"

namespace bellwire {

// Called exactly once, on any thread, possibly before the method returns. Must not block.
template <typename Response>
using Done = absl::AnyInvocable<void(absl::StatusOr<Response>) &&>;

// The registry as gateway and connector see it: the methods of bellwire.internal.v1.Registry, which
// is where they are specified. Implemented by the registry itself (registry/server/service.h; the calls of
// `bellwire serve` stay in the process) and by a gRPC client (rpc/grpc_registry_client.h).
//
// Errors carry reasons (common/error.h). Methods never block; each implementation bounds what it
// queues and answers RESOURCE_EXHAUSTED (OVERLOADED) beyond. Thread-safe.
class RegistryApi {
 public:
  virtual ~RegistryApi() = default;

  virtual void Append(internal::v1::AppendRequest request,
                      Done<internal::v1::AppendResponse> done) = 0;
  virtual void Resolve(internal::v1::ResolveRequest request,
                       Done<internal::v1::ResolveResponse> done) = 0;
  virtual void GetMessage(internal::v1::GetMessageRequest request,
                          Done<internal::v1::GetMessageResponse> done) = 0;
  virtual void Recall(internal::v1::RecallRequest request,
                      Done<internal::v1::RecallResponse> done) = 0;

  virtual void Bind(internal::v1::BindRequest request, Done<internal::v1::BindResponse> done) = 0;
  virtual void Unbind(internal::v1::UnbindRequest request,
                      Done<internal::v1::UnbindResponse> done) = 0;
  virtual void Pull(internal::v1::PullRequest request, Done<internal::v1::PullResponse> done) = 0;
  virtual void Ack(internal::v1::AckRequest request, Done<internal::v1::AckResponse> done) = 0;
  virtual void AppAck(internal::v1::AppAckRequest request,
                      Done<internal::v1::AppAckResponse> done) = 0;
  virtual void ReportSent(internal::v1::ReportSentRequest request,
                          Done<internal::v1::ReportSentResponse> done) = 0;
  virtual void ReportNetwork(internal::v1::ReportNetworkRequest request,
                             Done<internal::v1::ReportNetworkResponse> done) = 0;
  virtual void RegisterApp(internal::v1::RegisterAppRequest request,
                           Done<internal::v1::RegisterAppResponse> done) = 0;
  virtual void RemoveApp(internal::v1::RemoveAppRequest request,
                         Done<internal::v1::RemoveAppResponse> done) = 0;

  virtual void ReadReceipts(internal::v1::ReadReceiptsRequest request,
                            Done<internal::v1::ReadReceiptsResponse> done) = 0;

  virtual void GetKey(internal::v1::GetKeyRequest request, Done<admin::v1::Key> done) = 0;
  virtual void PutTeam(admin::v1::Team request, Done<admin::v1::Team> done) = 0;
  virtual void PutApp(admin::v1::App request, Done<admin::v1::App> done) = 0;
  virtual void PutKey(admin::v1::Key request, Done<admin::v1::Key> done) = 0;
  virtual void ListTeams(admin::v1::ListTeamsRequest request,
                         Done<admin::v1::ListTeamsResponse> done) = 0;
  virtual void ListApps(admin::v1::ListAppsRequest request,
                        Done<admin::v1::ListAppsResponse> done) = 0;
  virtual void ListKeys(admin::v1::ListKeysRequest request,
                        Done<admin::v1::ListKeysResponse> done) = 0;
  virtual void RevokeKey(admin::v1::RevokeKeyRequest request, Done<admin::v1::Key> done) = 0;
  virtual void DeleteTeam(admin::v1::DeleteTeamRequest request, Done<admin::v1::Team> done) = 0;
  virtual void DeleteApp(admin::v1::DeleteAppRequest request, Done<admin::v1::App> done) = 0;
};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_REGISTRY_API_H_
