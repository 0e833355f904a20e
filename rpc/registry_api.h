#ifndef BELLWIRE_RPC_REGISTRY_API_H_
#define BELLWIRE_RPC_REGISTRY_API_H_

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "bellwire/admin/v1/backup.pb.h"
#include "bellwire/admin/v1/devices.pb.h"
#include "bellwire/internal/v1/devices.pb.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "bellwire/internal/v1/partition.pb.h"
#include "bellwire/internal/v1/topics.pb.h"
#include "common/limits.h"

// The registry as gateway and connector see it: ten contracts, each a service of
// bellwire.internal.v1, which is where the methods are specified. A caller takes only the contract
// that it needs. Implemented by the registry itself (registry/server/service.h; the calls of
// `bellwire serve` stay in the process) and by a gRPC client (rpc/grpc_registry_client.h).
//
// Errors carry reasons (common/error.h). Methods never block; each implementation bounds what it
// queues and answers RESOURCE_EXHAUSTED (OVERLOADED) beyond. Thread-safe.
//
// A contract is the list of its methods: X(Contract, Method, Request, Response) for each. Contract,
// gRPC client and gRPC server expand the list. Whoever implements a contract declares its methods
// with BELLWIRE_OVERRIDE; a method that it doesn't define fails to link.

// What senders do to one device.
#define BELLWIRE_MAILBOX_METHODS(X)                                                         \
  X(Mailbox, Append, internal::v1::AppendRequest, internal::v1::AppendResponse)             \
  X(Mailbox, EndWaits, internal::v1::EndWaitsRequest, internal::v1::EndWaitsResponse)       \
  X(Mailbox, GetMessage, internal::v1::GetMessageRequest, internal::v1::GetMessageResponse) \
  X(Mailbox, Recall, internal::v1::RecallRequest, internal::v1::RecallResponse)

// What the live session of a device does. Between processes all of it goes over one stream
// (rpc/session_stream.h). Answers, and hand-overs to the same connector, come in the order of the
// registry's commits.
#define BELLWIRE_SESSION_METHODS(X)                                                            \
  X(Session, Bind, internal::v1::BindRequest, internal::v1::BindResponse)                      \
  X(Session, Unbind, internal::v1::UnbindRequest, internal::v1::UnbindResponse)                \
  X(Session, Pull, internal::v1::PullRequest, internal::v1::PullResponse)                      \
  X(Session, Ack, internal::v1::AckRequest, internal::v1::AckResponse)                         \
  X(Session, AppAck, internal::v1::AppAckRequest, internal::v1::AppAckResponse)                \
  X(Session, ReportSent, internal::v1::ReportSentRequest, internal::v1::ReportSentResponse)    \
  X(Session, RegisterApp, internal::v1::RegisterAppRequest, internal::v1::RegisterAppResponse) \
  X(Session, RemoveApp, internal::v1::RemoveAppRequest, internal::v1::RemoveAppResponse)       \
  X(Session, Resume, internal::v1::ResumeRequest, internal::v1::ResumeResponse)                \
  X(Session, HandedOver, internal::v1::HandedOverRequest, internal::v1::HandedOverResponse)

// Teams and apps, and their quotas.
#define BELLWIRE_CATALOGUE_METHODS(X)                                                \
  X(Catalogue, PutTeam, admin::v1::Team, admin::v1::Team)                            \
  X(Catalogue, PutApp, admin::v1::App, admin::v1::App)                               \
  X(Catalogue, UpdateTeam, admin::v1::UpdateTeamRequest, admin::v1::Team)            \
  X(Catalogue, ListTeams, admin::v1::ListTeamsRequest, admin::v1::ListTeamsResponse) \
  X(Catalogue, ListApps, admin::v1::ListAppsRequest, admin::v1::ListAppsResponse)    \
  X(Catalogue, DeleteTeam, admin::v1::DeleteTeamRequest, admin::v1::Team)            \
  X(Catalogue, DeleteApp, admin::v1::DeleteAppRequest, admin::v1::App)               \
  X(Catalogue, CountRecords, internal::v1::CountRecordsRequest,                      \
    internal::v1::CountRecordsResponse)                                              \
  X(Catalogue, GetQuota, admin::v1::GetQuotaRequest, admin::v1::GetQuotaResponse)    \
  X(Catalogue, SetQuota, admin::v1::SetQuotaRequest, admin::v1::QuotaReport)

// The credentials of teams.
#define BELLWIRE_KEYS_METHODS(X)                                             \
  X(Keys, GetKey, internal::v1::GetKeyRequest, admin::v1::Key)               \
  X(Keys, PutKey, admin::v1::Key, admin::v1::Key)                            \
  X(Keys, ListKeys, admin::v1::ListKeysRequest, admin::v1::ListKeysResponse) \
  X(Keys, RevokeKey, admin::v1::RevokeKeyRequest, admin::v1::Key)

// The receipts of a team.
#define BELLWIRE_FEED_METHODS(X) \
  X(Feed, ReadReceipts, internal::v1::ReadReceiptsRequest, internal::v1::ReadReceiptsResponse)

// Who owns what, where several registries share a store. GetMap may take up to kMaxMapWait.
#define BELLWIRE_PARTITION_METHODS(X) \
  X(Partition, GetMap, internal::v1::GetPartitionMapRequest, internal::v1::PartitionMap)

// What devices learn about networks.
#define BELLWIRE_NETWORK_METHODS(X) \
  X(Network, ReportNetwork, internal::v1::ReportNetworkRequest, internal::v1::ReportNetworkResponse)

// The store's files, for whoever runs the server. Calls may take up to kBackupTimeout.
#define BELLWIRE_STORE_METHODS(X) \
  X(Store, Backup, admin::v1::BackupRequest, admin::v1::BackupResponse) \
  X(Store, GetPayloadKeys, admin::v1::GetPayloadKeysRequest, admin::v1::GetPayloadKeysResponse)

// Topics of a team: who is subscribed, and the fan-outs of its topic messages. Claim may take up to
// kMaxClaimWait.
#define BELLWIRE_TOPIC_METHODS(X)                                                          \
  X(Topic, ChangeSubscription, internal::v1::ChangeSubscriptionRequest,                    \
    internal::v1::ChangeSubscriptionResponse)                                              \
  X(Topic, ListSubscriptions, internal::v1::ListSubscriptionsRequest,                      \
    internal::v1::ListSubscriptionsResponse)                                               \
  X(Topic, PageSubscribers, internal::v1::PageSubscribersRequest,                          \
    internal::v1::PageSubscribersResponse)                                                 \
  X(Topic, ListTopics, internal::v1::ListTopicsRequest, internal::v1::ListTopicsResponse)  \
  X(Topic, PutTopic, internal::v1::PutTopicRequest, internal::v1::KeptTopic)               \
  X(Topic, Publish, internal::v1::PublishTopicRequest, internal::v1::PublishTopicResponse) \
  X(Topic, Claim, internal::v1::ClaimRequest, internal::v1::ClaimResponse)                 \
  X(Topic, Advance, internal::v1::AdvanceRequest, internal::v1::AdvanceResponse)           \
  X(Topic, GetTopicMessage, internal::v1::GetTopicMessageRequest, push::v1::TopicMessage)  \
  X(Topic, RecallTopicMessage, internal::v1::GetTopicMessageRequest, push::v1::TopicMessage)

// Who may be a device, and the devices that there are.
#define BELLWIRE_DEVICE_METHODS(X)                                                             \
  X(Device, PutEnrolment, admin::v1::Enrolment, admin::v1::Enrolment)                          \
  X(Device, ListEnrolments, admin::v1::ListEnrolmentsRequest,                                  \
    admin::v1::ListEnrolmentsResponse)                                                         \
  X(Device, DeleteEnrolment, admin::v1::DeleteEnrolmentRequest, admin::v1::Enrolment)          \
  X(Device, ListDevices, admin::v1::ListDevicesRequest, admin::v1::ListDevicesResponse)        \
  X(Device, GetDevice, internal::v1::GetDeviceRequest, admin::v1::GetDeviceResponse)           \
  X(Device, EndDevice, internal::v1::EndDeviceRequest, internal::v1::EndDeviceResponse)

// All that is called one by one.
#define BELLWIRE_UNARY_METHODS(X) \
  BELLWIRE_MAILBOX_METHODS(X)     \
  BELLWIRE_CATALOGUE_METHODS(X)   \
  BELLWIRE_KEYS_METHODS(X)        \
  BELLWIRE_FEED_METHODS(X)        \
  BELLWIRE_NETWORK_METHODS(X)     \
  BELLWIRE_PARTITION_METHODS(X)   \
  BELLWIRE_STORE_METHODS(X)       \
  BELLWIRE_TOPIC_METHODS(X)       \
  BELLWIRE_DEVICE_METHODS(X)

#define BELLWIRE_REGISTRY_METHODS(X) \
  BELLWIRE_UNARY_METHODS(X)          \
  BELLWIRE_SESSION_METHODS(X)

#define BELLWIRE_OVERRIDE(Contract, Method, Request, Response) \
  void Method(Request request, Done<Response> done) override;

namespace bellwire {

// Called exactly once, on any thread, possibly before the method returns. Must not block.
template <typename Response>
using Done = absl::AnyInvocable<void(absl::StatusOr<Response>) &&>;

// Whole files are copied where a backup goes to another file system.
inline constexpr absl::Duration kBackupTimeout = absl::Hours(1);
// How long a Claim may wait for a fan-out: below kRegistryCallTimeout.
inline constexpr absl::Duration kMaxClaimWait = absl::Seconds(5);

// How long a GetMap may wait for a newer map: below kRegistryCallTimeout.
inline constexpr absl::Duration kMaxMapWait = absl::Seconds(5);

// How much longer than other calls this one may take: it waits for something besides the registry.
template <typename Request>
absl::Duration WaitOf(const Request&) {
  return absl::ZeroDuration();
}
inline absl::Duration WaitOf(const internal::v1::AppendRequest& request) {
  return request.waiter() != 0 ? kNowOrNeverWait : absl::ZeroDuration();
}
inline absl::Duration WaitOf(const admin::v1::BackupRequest&) { return kBackupTimeout; }

#define BELLWIRE_PURE(Contract, Method, Request, Response) \
  virtual void Method(Request request, Done<Response> done) = 0;
#define BELLWIRE_CONTRACT(Contract, METHODS) \
  class Contract##Api {                      \
   public:                                   \
    virtual ~Contract##Api() = default;      \
    METHODS(BELLWIRE_PURE)                   \
  };
BELLWIRE_CONTRACT(Mailbox, BELLWIRE_MAILBOX_METHODS)
BELLWIRE_CONTRACT(Session, BELLWIRE_SESSION_METHODS)
BELLWIRE_CONTRACT(Catalogue, BELLWIRE_CATALOGUE_METHODS)
BELLWIRE_CONTRACT(Keys, BELLWIRE_KEYS_METHODS)
BELLWIRE_CONTRACT(Feed, BELLWIRE_FEED_METHODS)
BELLWIRE_CONTRACT(Network, BELLWIRE_NETWORK_METHODS)
BELLWIRE_CONTRACT(Partition, BELLWIRE_PARTITION_METHODS)
BELLWIRE_CONTRACT(Store, BELLWIRE_STORE_METHODS)
BELLWIRE_CONTRACT(Topic, BELLWIRE_TOPIC_METHODS)
BELLWIRE_CONTRACT(Device, BELLWIRE_DEVICE_METHODS)
#undef BELLWIRE_CONTRACT
#undef BELLWIRE_PURE

// Those of BELLWIRE_UNARY_METHODS.
class UnaryRegistryApi : public MailboxApi,
                         public CatalogueApi,
                         public KeysApi,
                         public FeedApi,
                         public NetworkApi,
                         public PartitionApi,
                         public StoreApi,
                         public TopicApi,
                         public DeviceApi {};
// All of them, for whoever makes a registry or stands in front of one. Callers don't take it.
class RegistryApi : public UnaryRegistryApi, public SessionApi {};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_REGISTRY_API_H_
