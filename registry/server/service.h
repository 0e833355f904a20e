#ifndef BELLWIRE_REGISTRY_SERVER_SERVICE_H_
#define BELLWIRE_REGISTRY_SERVER_SERVICE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "crypto/token_sealer.h"
#include "registry/backup/backup_maker.h"
#include "registry/devices/device_service.h"
#include "registry/feed/receipt_waiters.h"
#include "registry/server/dispatcher.h"
#include "registry/server/group_commit.h"
#include "registry/server/store.h"
#include "registry/server/subscription_policy.h"
#include "registry/sharing/partition_maps.h"
#include "registry/topics/claim_waiters.h"
#include "rpc/registry_api.h"

namespace bellwire::registry {

// The registry's port: decodes and checks requests (request_decoder.h) in the caller's thread, has
// them run by the one thread that owns the store, and encodes what it answers. Thread-safe.
class Service final : public RegistryApi {
 public:
  // All must outlive it. Without `backups` it refuses to make any. `payload_keys` answers
  // GetPayloadKeys, and is thread-safe; empty: nothing is sealed. `feeds` tells all feeds of a
  // team; empty: there is one.
  Service(GroupCommit* group_commit, const TokenSealer* sealer, const Clock* clock,
          SubscriptionPolicy subscriptions = SubscriptionPolicy::kVapid,
          BackupMaker* backups = nullptr,
          std::function<admin::v1::GetPayloadKeysResponse()> payload_keys = nullptr,
          std::function<std::vector<uint32_t>()> feeds = nullptr)
      : group_commit_(group_commit),
        sealer_(sealer),
        clock_(clock),
        subscriptions_(subscriptions),
        backups_(backups),
        payload_keys_(std::move(payload_keys)),
        feeds_(std::move(feeds)),
        devices_(group_commit),
        maps_(clock),
        dispatcher_(group_commit, clock) {}
  // Answers who still waits for receipts, or for a fan-out.
  ~Service() override;

  // The feed of this team has grown, and that is durable.
  void OnReceipts(const std::string& team_id) { receipt_waiters_.Wake(team_id); }
  // A fan-out may be claimed, and that is durable.
  void OnClaimable() { claim_waiters_.WakeOne(); }
  // Answers those who have waited long enough. To be called about every kSweepInterval.
  void ExpireWaits() {
    receipt_waiters_.Expire(clock_->Monotonic());
    claim_waiters_.Expire(clock_->Monotonic());
    maps_.Expire();
    dispatcher_.Expire();
  }
  // Who owns what, for who asks.
  PartitionMaps* maps() { return &maps_; }
  // For what commits hand over.
  Dispatcher* dispatcher() { return &dispatcher_; }

  BELLWIRE_MAILBOX_METHODS(BELLWIRE_OVERRIDE)
  BELLWIRE_SESSION_METHODS(BELLWIRE_OVERRIDE)
  BELLWIRE_CATALOGUE_METHODS(BELLWIRE_OVERRIDE)
  BELLWIRE_KEYS_METHODS(BELLWIRE_OVERRIDE)
  BELLWIRE_FEED_METHODS(BELLWIRE_OVERRIDE)
  BELLWIRE_NETWORK_METHODS(BELLWIRE_OVERRIDE)
  BELLWIRE_PARTITION_METHODS(BELLWIRE_OVERRIDE)
  BELLWIRE_STORE_METHODS(BELLWIRE_OVERRIDE)
  BELLWIRE_TOPIC_METHODS(BELLWIRE_OVERRIDE)
#define BELLWIRE_FORWARD(Contract, Method, Request, Response)     \
  void Method(Request request, Done<Response> done) override {    \
    devices_.Method(std::move(request), std::move(done));         \
  }
  BELLWIRE_DEVICE_METHODS(BELLWIRE_FORWARD)
#undef BELLWIRE_FORWARD

 private:
  void RegisterSubscription(const DeviceId& device, internal::v1::Subscription subscription,
                            Done<internal::v1::RegisterAppResponse> done);
  // Seals the token. Sealing is deterministic: a living registration keeps its token without
  // storing it.
  internal::v1::RegisterAppResponse Registered(const DeviceId& device,
                                               const RegistrationResult& result,
                                               uint64_t app_tag) const;
  using TopicMessageMethod = absl::StatusOr<push::v1::TopicMessage> (Store::*)(absl::string_view,
                                                                               const MessageId&);
  void SubmitAboutTopicMessage(const internal::v1::GetTopicMessageRequest& request,
                               TopicMessageMethod method, Done<push::v1::TopicMessage> done);

  GroupCommit* const group_commit_;
  const TokenSealer* const sealer_;
  const Clock* const clock_;
  const SubscriptionPolicy subscriptions_;
  BackupMaker* const backups_;
  const std::function<admin::v1::GetPayloadKeysResponse()> payload_keys_;
  const std::function<std::vector<uint32_t>()> feeds_;
  ReceiptWaiters receipt_waiters_;
  ClaimWaiters claim_waiters_;
  DeviceService devices_;
  PartitionMaps maps_;
  Dispatcher dispatcher_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SERVER_SERVICE_H_
