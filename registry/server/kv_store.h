#ifndef BELLWIRE_REGISTRY_SERVER_KV_STORE_H_
#define BELLWIRE_REGISTRY_SERVER_KV_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/types/span.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/log_limit.h"
#include "registry/catalogue/app_lives.h"
#include "registry/deletion/deletions.h"
#include "registry/engine/chore.h"
#include "registry/devices/device_gate.h"
#include "registry/devices/device_policy.h"
#include "registry/engine/kv_engine.h"
#include "registry/engine/overlay.h"
#include "registry/feed/receipt_relay.h"
#include "registry/keys/feeds.h"
#include "registry/mailbox/device_transaction.h"
#include "registry/mailbox/retention.h"
#include "registry/quotas/quota_book.h"
#include "registry/server/store.h"
#include "registry/server/store_counters.h"
#include "registry/server/waiting_routes.h"
#include "registry/topics/fan_outs.h"
#include "registry/topics/topic_list.h"

namespace bellwire::registry {

// The store: the domain logic (append.h, page.h, session.h, …) over an engine. Keeps nothing of its
// own between commits but waiting routes and a cache of apps, which a failed commit empties.
//
// Not thread-safe.
class KvStore final : public Store {
 public:
  // What a store of several registries is told of them.
  struct Sharing {
    // Whether this registry owns the device; and what belongs to no device.
    //   UNAVAILABLE NOT_OWNER
    std::function<absl::Status(const DeviceId&)> check_device;
    std::function<absl::Status()> check_home;
    std::function<bool(const DeviceId&)> owns;
    // As Store::epoch, of a device that it owns.
    std::function<uint64_t(const DeviceId&)> epoch;
    // The part of all devices that it owns, in [0, 1].
    std::function<double()> share;
    // Whether it owns everything that anybody has: then it may change what belongs to all.
    std::function<bool()> is_alone;
  };

  struct Options {
    // Wall time. Not owned; outlives the store.
    const Clock* clock = nullptr;
    // Makes mailbox ids and registration ids: RandomUint64, or a simulation's.
    std::function<uint64_t()> random;
    // Every number that this store gives, seqs of mailboxes and positions of feeds, is greater. A
    // store that comes from a backup must give none again that was given after the backup was made,
    // so whoever opens one passes a number that grows with each start (NumbersOfStart in keys.h).
    // 0: numbers go on from the last one.
    uint64_t numbers_after = 0;
    // Who may be a device.
    DevicePolicy devices;
    // Called after the commit with each request that it makes to a connector, in the order of what
    // happened: the deliveries of messages and gap notices that came into a mailbox whose device
    // has a session, recalls that such a device is to hear of, the end of a session that a Bind
    // leaves behind. Must not block. May be empty.
    absl::AnyInvocable<void(ConnectorRequest request)> on_hand_over;
    // Called instead of a commit that has nothing to write: whether what was read since the last
    // one may be answered. An engine whose store may be taken over meanwhile says so. May be empty.
    std::function<absl::Status()> confirm;
    // As Store::Prefetch, of the engine, by the ids of devices. Empty: its reads are cheap.
    std::function<void(absl::Span<const std::string> devices)> prefetch;
    // Called after the commit with the team of a feed that has grown. Must not block. May be empty.
    absl::AnyInvocable<void(const std::string& team_id)> on_receipts;
    // Where receipts go.
    Feeds feeds;
    // Where several registries share a store.
    std::optional<Sharing> sharing;
    // Called after the commit that made a Claim succeed, and with each sweep as long as one would.
    // Must not block. May be empty.
    absl::AnyInvocable<void()> on_claimable;
    // For how long what has ended is kept.
    Retention retention;
    // A step of each is staged with each sweep. Not owned; outlive the store.
    std::vector<Chore*> chores;
    // Room on the store's disk; nullopt: nobody knows. Teams that have no limit of their own for
    // what waits share it (quotas/limits.h). May be empty.
    std::function<std::optional<uint64_t>()> free_bytes;
  };

  KvStore(std::unique_ptr<KvEngine> engine, Options options);

  // What it has counted. Thread-safe, as far as that is.
  const StoreCounters& counters() const { return counters_; }
  const DeviceGate& gate() const { return gate_; }
  const QuotaBook& quotas() const { return quotas_; }
  // As StoreCounters::SetOnChange.
  void SetOnHealthChange(std::function<void(bool ok)> on_change) {
    counters_.SetOnChange(std::move(on_change));
  }

  bool prefetches() const override { return options_.prefetch != nullptr; }
  void Prefetch(const std::vector<DeviceId>& devices) override;
  // Leaves nothing about the devices of this registry that the engine has not heard of: some of
  // them are about to get another owner. As Commit. REQUIRES: nothing is staged.
  absl::Status PrepareToGive();
  // The registry owns other partitions than before. REQUIRES: nothing is staged.
  void OnPartitionsChanged();

  absl::Status Commit() override;
  void AfterCommit(absl::AnyInvocable<void(const absl::Status& committed) &&> then) override;
  uint64_t epoch(const DeviceId& device) const override {
    return options_.sharing.has_value() ? options_.sharing->epoch(device) : options_.numbers_after;
  }
  absl::StatusOr<AppendResult> Append(const TokenRef& token, const Envelope& message,
                                      const AppendOptions& options) override;
  absl::StatusOr<push::v1::GetMessageResponse> GetMessage(const TokenRef& token,
                                                          const MessageId& message) override;
  absl::StatusOr<RecallResult> Recall(const TokenRef& token, const MessageId& message) override;
  absl::StatusOr<Step> Resolve(const DeviceId& device, uint64_t seq) override;
  absl::StatusOr<BindResult> Bind(const DeviceId& device, const Route& route,
                                  const PageBounds& bounds, const BindOptions& options) override;
  absl::StatusOr<bool> Resume(const DeviceId& device, const Route& route,
                              std::optional<uint64_t> registrations_xor,
                              uint64_t after_seq) override;
  absl::Status Unbind(const DeviceId& device, const Route& route) override;
  absl::StatusOr<Page> Pull(const DeviceId& device, uint64_t after_seq,
                            const PageBounds& bounds) override;
  absl::Status Acknowledge(const DeviceId& device, const Route& route,
                           const std::vector<AckItem>& items) override;
  absl::Status AppAcknowledge(const DeviceId& device,
                              const std::vector<AppAckItem>& items) override;
  absl::Status ReportSent(const DeviceId& device, const std::vector<AckItem>& items) override;
  using Store::RegisterApp;
  absl::StatusOr<RegistrationResult> RegisterApp(const DeviceId& device, absl::string_view app_id,
                                                 absl::string_view owner) override;
  using Store::RemoveApp;
  absl::StatusOr<RegistrationResult> RemoveApp(const DeviceId& device, absl::string_view app_id,
                                               absl::string_view owner,
                                               uint64_t registration_id) override;
  absl::StatusOr<RegistrationResult> RegisterSubscription(const DeviceId& device,
                                                          const Subscription& wanted) override;
  absl::StatusOr<RegistrationResult> RemoveSubscription(const DeviceId& device,
                                                        absl::string_view instance,
                                                        uint64_t registration_id) override;
  absl::StatusOr<admin::v1::Enrolment> PutEnrolment(const admin::v1::Enrolment& enrolment) override;
  absl::StatusOr<std::vector<admin::v1::Enrolment>> ListEnrolments() override;
  absl::StatusOr<admin::v1::Enrolment> DeleteEnrolment(absl::string_view enrolment_id) override;
  absl::StatusOr<admin::v1::ListDevicesResponse> ListDevices(const std::optional<DeviceId>& after,
                                                             size_t max) override;
  absl::StatusOr<admin::v1::GetDeviceResponse> GetDevice(const DeviceId& device) override;
  absl::StatusOr<DeviceEndStep> EndDevice(const DeviceId& device,
                                          const DeviceEndOptions& options) override;
  absl::StatusOr<admin::v1::Team> PutTeam(const admin::v1::Team& team) override;
  absl::StatusOr<admin::v1::App> PutApp(const admin::v1::App& app) override;
  absl::StatusOr<admin::v1::Key> PutKey(const admin::v1::Key& key) override;
  absl::StatusOr<admin::v1::Team> UpdateTeam(const admin::v1::UpdateTeamRequest& request) override;
  absl::StatusOr<std::vector<admin::v1::Team>> ListTeams() override;
  absl::StatusOr<std::vector<admin::v1::App>> ListApps(absl::string_view team_id) override;
  absl::StatusOr<std::vector<admin::v1::Key>> ListKeys(absl::string_view team_id) override;
  absl::StatusOr<admin::v1::Key> GetKey(absl::string_view key_id) override;
  absl::StatusOr<admin::v1::Key> RevokeKey(absl::string_view key_id) override;
  absl::StatusOr<admin::v1::Team> DeleteTeam(absl::string_view team_id) override;
  absl::StatusOr<admin::v1::App> DeleteApp(absl::string_view app_id) override;
  absl::StatusOr<internal::v1::CountRecordsResponse> CountRecords(
      const internal::v1::CountRecordsRequest& request) override;
  absl::StatusOr<admin::v1::GetQuotaResponse> GetQuota(absl::string_view team_id) override;
  absl::StatusOr<admin::v1::QuotaReport> SetQuota(
      const admin::v1::SetQuotaRequest& request) override;
  absl::Status NoteReceiptStream(absl::string_view team_id, uint64_t stream, bool ended) override;
  absl::StatusOr<SubscriptionChange> ChangeSubscription(const DeviceId& device,
                                                        uint64_t registration_id,
                                                        absl::string_view team_id,
                                                        absl::string_view topic,
                                                        bool subscribed) override;
  absl::StatusOr<std::vector<TopicOfToken>> ListSubscriptions(const DeviceId& device,
                                                              uint64_t registration_id,
                                                              absl::string_view team_id) override;
  absl::StatusOr<SubscriberPage> PageSubscribers(absl::string_view team_id,
                                                 const std::vector<std::string>& topics,
                                                 const std::optional<SubscriberEntry>& after,
                                                 size_t max, absl::string_view app_id) override;
  absl::StatusOr<internal::v1::ListTopicsResponse> ListTopics(absl::string_view team_id,
                                                              absl::string_view after, size_t max,
                                                              bool kept_only) override;
  absl::StatusOr<internal::v1::KeptTopic> PutTopic(
      const internal::v1::PutTopicRequest& request) override;
  absl::StatusOr<bool> Publish(const internal::v1::PublishTopicRequest& request) override;
  absl::StatusOr<std::optional<internal::v1::ClaimResponse>> Claim(const std::string& gateway,
                                                                   absl::Duration lease) override;
  absl::StatusOr<bool> Advance(const internal::v1::AdvanceRequest& request) override;
  absl::StatusOr<push::v1::TopicMessage> GetTopicMessage(absl::string_view team_id,
                                                         const MessageId& message) override;
  absl::StatusOr<push::v1::TopicMessage> RecallTopicMessage(absl::string_view team_id,
                                                            const MessageId& message) override;
  using Store::ReadReceipts;
  absl::StatusOr<FeedPage> ReadReceipts(absl::string_view team_id, uint32_t feed,
                                        std::optional<uint64_t> after,
                                        size_t max_receipts) override;
  absl::StatusOr<RelayResult> RelayReceipts(size_t max_entries) override;
  absl::StatusOr<absl::Duration> ReportNetwork(const DeviceId& device,
                                               const NetworkReport& report) override;
  absl::StatusOr<SweepResult> Sweep(size_t max_entries) override;

 private:
  int64_t NowMs() const;
  absl::Status CommitStaged();
  DeviceTransaction Begin(const DeviceId& device);
  // NOT_OWNER: the device is another registry's.
  absl::Status Load(const DeviceId& device, DeviceTransaction* tx);
  absl::Status CheckHome() const {
    return options_.sharing.has_value() ? options_.sharing->check_home() : absl::OkStatus();
  }
  TopicList TopicsOf(absl::string_view team_id) {
    return TopicList(&staged_, team_id, options_.feeds.all());
  }
  // Runs `operation` as one transaction of the device and answers what it answers; with an error
  // nothing of it stays.
  template <typename Operation>
  auto Run(const DeviceId& device, Operation operation)
      -> decltype(operation(std::declval<DeviceTransaction&>()));
  absl::Status Finish(const DeviceId& device, DeviceTransaction& tx);
  // Runs `operation`, which answers the id of a registration, if the device may have one more.
  template <typename Operation>
  absl::StatusOr<RegistrationResult> Register(const DeviceId& device, Operation operation);
  // A request to the session, for the caller to fill. REQUIRES: it is filled before the next one.
  ConnectorRequest* AddHandOver(const DeviceId& device, const Route& route);
  // Stages routes that wait. UNAVAILABLE: not all of them.
  absl::Status StageRoutes(size_t max);
  // What devices have changed in the numbers of subscribers, and what was counted of topic
  // messages, is in the topics' records now, but for what is beyond one step.
  absl::Status CatchUpWithCounts() { return RelayReceipts(kMaxRelayEntries).status(); }
  // A message for this token was accepted. `name`: of the token, in the book of quotas.
  absl::Status CountAccepted(DeviceTransaction& tx, const TokenRef& token, absl::string_view name,
                             const QuotaBook::Message& message);
  // The quotas of this team are in the book.
  absl::Status KnowQuotas(absl::string_view team_id);
  // Whose the quota of a team, an app or their tokens is.
  absl::StatusOr<std::string> TeamOf(const admin::v1::QuotaSubject& subject);
  // Whether somebody of the team may be subscribed to this topic, which may be a new one.
  absl::Status AdmitTopic(absl::string_view team_id, absl::string_view topic);
  absl::Status WakeEntry(const TimelineEntry& entry, int64_t now_ms);
  // Whether a chore has more to do.
  bool StepChores();
  bool StepChore(Chore* chore);
  // Sees to it that the next sweep begins no later than the first entry that is staged: the clock
  // may have been set back, or an entry be due at once.
  void NoteTimeline();

  const std::unique_ptr<KvEngine> engine_;
  Options options_;
  // What the operations since the last commit have done.
  Overlay staged_;
  WaitingRoutes routes_;
  AppLives app_lives_{&staged_};
  DeviceGate gate_;
  ReceiptRelay relay_;
  QuotaBook quotas_;
  // What leaves the store after the commit, in order: a hand-over, or a call that waits for it.
  struct Departure {
    ConnectorRequest hand_over;
    absl::AnyInvocable<void(const absl::Status& committed) &&> then;
  };
  std::vector<Departure> departures_;
  std::vector<std::string> grown_feeds_;
  FanOuts fan_outs_;
  Deletions deletions_;
  // A Claim may succeed after the commit.
  bool claimable_ = false;
  // Nothing that is due lies before this in the timeline: the sweeps before have taken it away.
  // Spares each of them a walk over what the ones before have deleted.
  std::string timeline_from_;
  StoreCounters counters_;
  // A store that stays unavailable fails each time.
  LogLimit chores_failed_;
  // By device transactions, ever.
  size_t receipts_made_ = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SERVER_KV_STORE_H_
