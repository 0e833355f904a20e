#ifndef BELLWIRE_REGISTRY_SERVER_SERVICE_H_
#define BELLWIRE_REGISTRY_SERVER_SERVICE_H_

#include <string>

#include "common/clock.h"
#include "crypto/token_sealer.h"
#include "registry/feed/receipt_waiters.h"
#include "registry/server/group_commit.h"
#include "registry/server/store.h"
#include "registry/server/subscription_policy.h"
#include "rpc/registry_api.h"

namespace bellwire::registry {

// The registry's port: decodes and checks requests (request_decoder.h) in the caller's thread, has
// them run by the one thread that owns the store, and encodes what it answers. Thread-safe.
class Service final : public RegistryApi {
 public:
  // All must outlive it.
  Service(GroupCommit* group_commit, const TokenSealer* sealer, const Clock* clock,
          SubscriptionPolicy subscriptions = SubscriptionPolicy::kVapid)
      : group_commit_(group_commit),
        sealer_(sealer),
        clock_(clock),
        subscriptions_(subscriptions) {}
  // Answers who still waits for receipts.
  ~Service() override;

  // The feed of this team has grown, and that is durable.
  void OnReceipts(const std::string& team_id) { receipt_waiters_.Wake(team_id); }
  // Answers those who have waited long enough for receipts. To be called about every kSweepInterval.
  void ExpireWaits() { receipt_waiters_.Expire(clock_->Monotonic()); }

  void Append(internal::v1::AppendRequest request,
              Done<internal::v1::AppendResponse> done) override;
  void Resolve(internal::v1::ResolveRequest request,
               Done<internal::v1::ResolveResponse> done) override;
  void GetMessage(internal::v1::GetMessageRequest request,
                  Done<internal::v1::GetMessageResponse> done) override;
  void Recall(internal::v1::RecallRequest request,
              Done<internal::v1::RecallResponse> done) override;
  void Bind(internal::v1::BindRequest request, Done<internal::v1::BindResponse> done) override;
  void Unbind(internal::v1::UnbindRequest request,
              Done<internal::v1::UnbindResponse> done) override;
  void Pull(internal::v1::PullRequest request, Done<internal::v1::PullResponse> done) override;
  void Ack(internal::v1::AckRequest request, Done<internal::v1::AckResponse> done) override;
  void AppAck(internal::v1::AppAckRequest request,
              Done<internal::v1::AppAckResponse> done) override;
  void ReportSent(internal::v1::ReportSentRequest request,
                  Done<internal::v1::ReportSentResponse> done) override;
  void ReportNetwork(internal::v1::ReportNetworkRequest request,
                     Done<internal::v1::ReportNetworkResponse> done) override;
  void RegisterApp(internal::v1::RegisterAppRequest request,
                   Done<internal::v1::RegisterAppResponse> done) override;
  void RemoveApp(internal::v1::RemoveAppRequest request,
                 Done<internal::v1::RemoveAppResponse> done) override;
  void ReadReceipts(internal::v1::ReadReceiptsRequest request,
                    Done<internal::v1::ReadReceiptsResponse> done) override;
  void GetKey(internal::v1::GetKeyRequest request, Done<admin::v1::Key> done) override;
  void PutTeam(admin::v1::Team request, Done<admin::v1::Team> done) override;
  void PutApp(admin::v1::App request, Done<admin::v1::App> done) override;
  void PutKey(admin::v1::Key request, Done<admin::v1::Key> done) override;
  void ListTeams(admin::v1::ListTeamsRequest request,
                 Done<admin::v1::ListTeamsResponse> done) override;
  void ListApps(admin::v1::ListAppsRequest request,
                Done<admin::v1::ListAppsResponse> done) override;
  void ListKeys(admin::v1::ListKeysRequest request,
                Done<admin::v1::ListKeysResponse> done) override;
  void RevokeKey(admin::v1::RevokeKeyRequest request, Done<admin::v1::Key> done) override;
  void DeleteTeam(admin::v1::DeleteTeamRequest request, Done<admin::v1::Team> done) override;
  void DeleteApp(admin::v1::DeleteAppRequest request, Done<admin::v1::App> done) override;

 private:
  void RegisterSubscription(const DeviceId& device, internal::v1::Subscription subscription,
                            Done<internal::v1::RegisterAppResponse> done);
  // Seals the token. Sealing is deterministic: a living registration keeps its token without storing it.
  internal::v1::RegisterAppResponse Registered(const DeviceId& device,
                                               const RegistrationResult& result,
                                               uint64_t app_tag) const;

  GroupCommit* const group_commit_;
  const TokenSealer* const sealer_;
  const Clock* const clock_;
  const SubscriptionPolicy subscriptions_;
  ReceiptWaiters receipt_waiters_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SERVER_SERVICE_H_
