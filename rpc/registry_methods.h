#ifndef BELLWIRE_RPC_REGISTRY_METHODS_H_
#define BELLWIRE_RPC_REGISTRY_METHODS_H_

#include "bellwire/admin/v1/admin.pb.h"
#include "bellwire/internal/v1/internal.pb.h"

// The methods of RegistryApi and of bellwire.internal.v1.Registry, once: X(Method, Request,
// Response) for each. Client, server and their test expand it; a method that it lacks leaves the
// client abstract, so that it can't be forgotten.
#define BELLWIRE_REGISTRY_METHODS(X)                                                        \
  X(Append, internal::v1::AppendRequest, internal::v1::AppendResponse)                      \
  X(Resolve, internal::v1::ResolveRequest, internal::v1::ResolveResponse)                   \
  X(GetMessage, internal::v1::GetMessageRequest, internal::v1::GetMessageResponse)          \
  X(Recall, internal::v1::RecallRequest, internal::v1::RecallResponse)                      \
  X(Bind, internal::v1::BindRequest, internal::v1::BindResponse)                            \
  X(Unbind, internal::v1::UnbindRequest, internal::v1::UnbindResponse)                      \
  X(Pull, internal::v1::PullRequest, internal::v1::PullResponse)                            \
  X(Ack, internal::v1::AckRequest, internal::v1::AckResponse)                               \
  X(AppAck, internal::v1::AppAckRequest, internal::v1::AppAckResponse)                      \
  X(ReportSent, internal::v1::ReportSentRequest, internal::v1::ReportSentResponse)          \
  X(ReportNetwork, internal::v1::ReportNetworkRequest, internal::v1::ReportNetworkResponse) \
  X(RegisterApp, internal::v1::RegisterAppRequest, internal::v1::RegisterAppResponse)       \
  X(RemoveApp, internal::v1::RemoveAppRequest, internal::v1::RemoveAppResponse)             \
  X(ReadReceipts, internal::v1::ReadReceiptsRequest, internal::v1::ReadReceiptsResponse)    \
  X(GetKey, internal::v1::GetKeyRequest, admin::v1::Key)                                    \
  X(PutTeam, admin::v1::Team, admin::v1::Team)                                              \
  X(PutApp, admin::v1::App, admin::v1::App)                                                 \
  X(PutKey, admin::v1::Key, admin::v1::Key)                                                 \
  X(ListTeams, admin::v1::ListTeamsRequest, admin::v1::ListTeamsResponse)                   \
  X(ListApps, admin::v1::ListAppsRequest, admin::v1::ListAppsResponse)                      \
  X(ListKeys, admin::v1::ListKeysRequest, admin::v1::ListKeysResponse)                      \
  X(RevokeKey, admin::v1::RevokeKeyRequest, admin::v1::Key)                                 \
  X(DeleteTeam, admin::v1::DeleteTeamRequest, admin::v1::Team)                              \
  X(DeleteApp, admin::v1::DeleteAppRequest, admin::v1::App)

#endif  // BELLWIRE_RPC_REGISTRY_METHODS_H_
