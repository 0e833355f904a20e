#include "registry/server/kv_store.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "registry/catalogue/catalogue.h"
#include "registry/deletion/count_records.h"
#include "registry/devices/device_end.h"
#include "registry/devices/device_list.h"
#include "registry/devices/enrolments.h"
#include "registry/engine/store_error.h"
#include "registry/feed/receipt_feed.h"
#include "registry/keys/keys.h"
#include "registry/mailbox/acknowledge.h"
#include "registry/mailbox/append.h"
#include "registry/mailbox/message_query.h"
#include "registry/mailbox/page.h"
#include "registry/mailbox/recall.h"
#include "registry/mailbox/registration.h"
#include "registry/mailbox/session.h"
#include "registry/mailbox/token.h"
#include "registry/mailbox/waiting_bytes.h"
#include "registry/mailbox/wake.h"
#include "registry/networks/network_pool.h"
#include "registry/quotas/quota_records.h"
#include "registry/topics/subscriber_page.h"
#include "registry/topics/subscriptions.h"
#include "registry/topics/topic_list.h"
#include "registry/topics/topic_steps.h"

namespace bellwire::registry {

using storage::v1::Registration;

namespace {

absl::Status StatusOf(const absl::Status& status) { return status; }
template <typename T>
absl::Status StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

// Of a token, on the whole server.
std::string NameOf(const TokenRef& token) {
  std::string name(token.device.bytes());
  AppendBigEndian64(token.registration_id, &name);
  return name;
}

}  // namespace

KvStore::KvStore(std::unique_ptr<KvEngine> engine, Options options)
    : engine_(std::move(engine)),
      options_(std::move(options)),
      staged_(engine_.get()),
      gate_(options_.devices, &staged_, options_.clock,
            {.feeds = options_.feeds,
             .share = options_.sharing.has_value() ? options_.sharing->share : nullptr,
             .owns = options_.sharing.has_value() ? options_.sharing->owns : nullptr}),
      relay_(&staged_, options_.numbers_after, options_.retention.receipts, options_.feeds),
      quotas_(&staged_,
              {.clock = options_.clock,
               .free_bytes = options_.free_bytes,
               .feeds = options_.feeds,
               .share = options_.sharing.has_value() ? options_.sharing->share : nullptr}),
      fan_outs_(&staged_, options_.retention.receipts),
      deletions_({.on_device =
                      [this](const DeviceId& device, Deletions::OnDevice operation) {
                        return Run(device, operation);
                      },
                  .relay = [this]() -> absl::StatusOr<bool> {
                    BELLWIRE_ASSIGN_OR_RETURN(const RelayResult relayed,
                                              RelayReceipts(kMaxRelayEntries));
                    return relayed.more;
                  },
                  .feeds = options_.feeds.all}),
      chores_failed_(options_.clock) {
  fan_outs_.SetFeeds(options_.feeds.all);
}

absl::Status KvStore::Load(const DeviceId& device, DeviceTransaction* tx) {
  if (options_.sharing.has_value()) {
    BELLWIRE_RETURN_IF_ERROR(options_.sharing->check_device(device));
  }
  return tx->Load(routes_.Find(device));
}

absl::Status KvStore::PrepareToGive() {
  while (true) {
    BELLWIRE_ASSIGN_OR_RETURN(const RelayResult relayed, RelayReceipts(kMaxRelayEntries));
    if (!relayed.more) break;
  }
  BELLWIRE_RETURN_IF_ERROR(StageRoutes(routes_.unstaged()));
  return Commit();
}

void KvStore::OnPartitionsChanged() {
  timeline_from_.clear();
  relay_.OnPartitionsChanged();
  fan_outs_.OnCommitFailed();
  app_lives_.Forget();
  deletions_.OnCommitFailed();
  quotas_.Forget();
}

int64_t KvStore::NowMs() const { return ToStoredMs(options_.clock->WallNow()); }

DeviceTransaction KvStore::Begin(const DeviceId& device) {
  return DeviceTransaction(&staged_, device, NowMs(), options_.random, options_.numbers_after,
                           options_.retention);
}

void KvStore::Prefetch(const std::vector<DeviceId>& devices) {
  if (!prefetches()) return;
  std::vector<std::string> ids;
  ids.reserve(devices.size());
  for (const DeviceId& device : devices) ids.emplace_back(device.bytes());
  options_.prefetch(ids);
}

absl::Status KvStore::Commit() {
  relay_.Stage();
  std::vector<Departure> departures = std::exchange(departures_, {});
  const bool claimable = std::exchange(claimable_, false);
  absl::Status status = CommitStaged();
  for (Departure& departure : departures) {
    if (departure.then) {
      std::move(departure.then)(status);
    } else if (status.ok() && options_.on_hand_over) {
      options_.on_hand_over(std::move(departure.hand_over));
    }
  }
  if (!status.ok()) return status;
  if (claimable && options_.on_claimable) options_.on_claimable();
  return status;
}

void KvStore::AfterCommit(absl::AnyInvocable<void(const absl::Status& committed) &&> then) {
  departures_.push_back({.hand_over = {}, .then = std::move(then)});
}

absl::Status KvStore::CommitStaged() {
  if (staged_.writes().empty()) return options_.confirm ? options_.confirm() : absl::OkStatus();
  // If they can't be staged, the engine says why.
  StageRoutes(kMaxWaitingRoutesPerCommit).IgnoreError();
  NoteTimeline();
  const MonotonicTime began = options_.clock->Monotonic();
  const absl::Status status = engine_->CommitInPlace(staged_.mutable_writes());
  counters_.OnCommit(status, options_.clock->Monotonic() - began);
  staged_.Clear();
  const std::vector<std::string> grown_feeds = std::exchange(grown_feeds_, {});
  if (!status.ok()) {
    // Whatever the sweeps of this batch have passed is there again.
    timeline_from_.clear();
    relay_.OnCommitFailed();
    routes_.OnCommitFailed();
    app_lives_.Forget();
    fan_outs_.OnCommitFailed();
    deletions_.OnCommitFailed();
    gate_.OnCommitFailed();
    quotas_.Forget();
    return status;
  }
  routes_.OnCommitted();
  if (options_.on_receipts) {
    for (const std::string& team_id : grown_feeds) options_.on_receipts(team_id);
  }
  return absl::OkStatus();
}

void KvStore::NoteTimeline() {
  const WriteSet& writes = staged_.writes();
  for (auto it = writes.lower_bound(std::make_pair(Family::kTimeline, absl::string_view()));
       it != writes.end() && it->first.key < timeline_from_; ++it) {
    if (!it->second.value.has_value()) continue;
    timeline_from_ = it->first.key;
    return;
  }
}

absl::Status KvStore::StageRoutes(size_t max) {
  return routes_.Stage(max, [this](const DeviceId& device, const Route&) {
    const absl::Status staged = Run(device, [](DeviceTransaction& tx) {
      // Nothing is to be changed: the record has the route since it was loaded.
      if (tx.has_unwritten_route()) (void)tx.mutable_device();
      return absl::OkStatus();
    });
    if (staged.ok() || absl::IsUnavailable(staged)) return staged;
    // Its record is damaged; the others must not wait for it.
    LogError("route_not_written", {{"device", ToHex(device)}, {"error", staged.message()}});
    return absl::OkStatus();
  });
}

template <typename Operation>
auto KvStore::Run(const DeviceId& device, Operation operation)
    -> decltype(operation(std::declval<DeviceTransaction&>())) {
  DeviceTransaction tx = Begin(device);
  BELLWIRE_RETURN_IF_ERROR(Load(device, &tx));
  auto result = operation(tx);
  if (StatusOf(result).ok()) BELLWIRE_RETURN_IF_ERROR(Finish(device, tx));
  return result;
}

absl::Status KvStore::Finish(const DeviceId& device, DeviceTransaction& tx) {
  BELLWIRE_ASSIGN_OR_RETURN(const uint64_t outbox_order, relay_.NextOrder());
  BELLWIRE_RETURN_IF_ERROR(gate_.PrepareChange(tx));
  BELLWIRE_RETURN_IF_ERROR(tx.Finish());
  gate_.OnChange(tx);
  counters_.Stage(tx.steps());
  storage::v1::Outbox outbox = tx.TakeOutbox();
  quotas_.Note(outbox);
  receipts_made_ += static_cast<size_t>(outbox.receipts_size() + outbox.topics_size());
  relay_.Add(outbox_order, device, std::move(outbox));
  if (!tx.connected()) return absl::OkStatus();
  for (Envelope& mail : tx.TakeToHandOver()) {
    *AddHandOver(device, tx.device().route())->mutable_deliver()->mutable_message() =
        std::move(mail);
  }
  return absl::OkStatus();
}

ConnectorRequest* KvStore::AddHandOver(const DeviceId& device, const Route& route) {
  ConnectorRequest& request = departures_.emplace_back().hand_over;
  request.set_epoch(epoch(device));
  *request.mutable_route() = route;
  request.set_device_id(std::string(device.bytes()));
  return &request;
}

absl::StatusOr<AppendResult> KvStore::Append(const TokenRef& token, const Envelope& message,
                                             const AppendOptions& options) {
  BELLWIRE_RETURN_IF_ERROR(KnowQuotas(token.team_id));
  DeviceTransaction tx = Begin(token.device);
  BELLWIRE_RETURN_IF_ERROR(Load(token.device, &tx));
  if (const absl::Status lives = CheckAppLives(tx, token, app_lives_); !lives.ok()) {
    // Nothing but a fan-out comes by where an app was deleted: it takes the subscriptions away.
    if (absl::IsNotFound(lives) && !message.topic_message_id().empty() && !options.validate_only) {
      BELLWIRE_RETURN_IF_ERROR(EndTopics(tx, token.registration_id, token.team_id));
      BELLWIRE_RETURN_IF_ERROR(Finish(token.device, tx));
    }
    return lives;
  }
  const QuotaBook::Message counted = {.bytes = IsNowOrNever(message) ? 0 : WaitingBytes(message),
                                      .of_fan_out = !message.topic_message_id().empty()};
  const std::string name = NameOf(token);
  BELLWIRE_ASSIGN_OR_RETURN(
      AppendOutcome outcome,
      registry::Append(tx, token, message, options.message_id_is_new,
                       [&](const Registration& registration) {
                         return quotas_.Admit(registration, name, counted);
                       }));
  if (!options.validate_only) {
    if (outcome.refused.ok() && !outcome.result.duplicate) {
      BELLWIRE_RETURN_IF_ERROR(CountAccepted(tx, token, name, counted));
    }
    BELLWIRE_RETURN_IF_ERROR(Finish(token.device, tx));
    const auto registration = tx.FindRegistration(token.registration_id);
    if (registration.ok() && *registration != nullptr) {
      counters_.ObserveMailbox(static_cast<size_t>((*registration)->pending_size()));
    }
  }
  BELLWIRE_RETURN_IF_ERROR(outcome.refused);
  return std::move(outcome.result);
}

absl::StatusOr<push::v1::GetMessageResponse> KvStore::GetMessage(const TokenRef& token,
                                                                 const MessageId& message) {
  return Run(token.device,
             [&](DeviceTransaction& tx) { return registry::GetMessage(tx, token, message); });
}

absl::StatusOr<RecallResult> KvStore::Recall(const TokenRef& token, const MessageId& message) {
  BELLWIRE_ASSIGN_OR_RETURN(RecallResult result, Run(token.device, [&](DeviceTransaction& tx) {
                              return registry::Recall(tx, token, message);
                            }));
  if (result.route.has_value()) {
    // If it gets lost, the next session hears of it from its Bind.
    internal::v1::Recall* recall = AddHandOver(token.device, *result.route)->mutable_recall();
    recall->set_message_id(std::string(message.bytes()));
    recall->set_registration_id(token.registration_id);
    recall->set_seq(result.seq);
  }
  return result;
}

absl::StatusOr<Step> KvStore::Resolve(const DeviceId& device, uint64_t seq) {
  return Run(device, [&](DeviceTransaction& tx) { return registry::Resolve(tx, seq); });
}

absl::StatusOr<BindResult> KvStore::Bind(const DeviceId& device, const Route& route,
                                         const PageBounds& bounds, const BindOptions& options) {
  DeviceTransaction tx = Begin(device);
  BELLWIRE_RETURN_IF_ERROR(Load(device, &tx));
  BELLWIRE_ASSIGN_OR_RETURN(BindOutcome bound, registry::Bind(tx, route, bounds, options));
  Overlay admission(&staged_);
  if (!tx.exists()) {
    BELLWIRE_RETURN_IF_ERROR(
        gate_.Admit(tx, options.enrolment_token, options.peer, &admission));
  }
  if (!bound.may_wait || !routes_.Add(device, route)) {
    BELLWIRE_RETURN_IF_ERROR(Finish(device, tx));
  }
  if (bound.result.evicted.has_value()) {
    AddHandOver(device, *bound.result.evicted)
        ->mutable_evict()
        ->set_winning_login_number(route.login_number());
  }
  std::move(admission).MergeInto(&staged_);
  return std::move(bound.result);
}

absl::StatusOr<bool> KvStore::Resume(const DeviceId& device, const Route& route,
                                     std::optional<uint64_t> registrations_xor,
                                     uint64_t after_seq) {
  return Run(device, [&](DeviceTransaction& tx) {
    return registry::Resume(tx, route, registrations_xor, after_seq);
  });
}

absl::Status KvStore::Unbind(const DeviceId& device, const Route& route) {
  return Run(device, [&](DeviceTransaction& tx) {
    registry::Unbind(tx, route);
    return absl::OkStatus();
  });
}

absl::StatusOr<Page> KvStore::Pull(const DeviceId& device, uint64_t after_seq,
                                   const PageBounds& bounds) {
  return Run(device, [&](DeviceTransaction& tx) { return ReadPage(tx, after_seq, bounds); });
}

absl::Status KvStore::Acknowledge(const DeviceId& device, const Route& route,
                                  const std::vector<AckItem>& items) {
  absl::Status stale;
  BELLWIRE_RETURN_IF_ERROR(Run(device, [&](DeviceTransaction& tx) -> absl::Status {
    if (!tx.connected() || !SameRoute(tx.device().route(), route)) stale = SessionOverError(tx);
    return registry::Acknowledge(tx, items);
  }));
  return stale;
}

absl::Status KvStore::AppAcknowledge(const DeviceId& device, const std::vector<AppAckItem>& items) {
  return Run(device, [&](DeviceTransaction& tx) { return registry::AppAcknowledge(tx, items); });
}

absl::Status KvStore::ReportSent(const DeviceId& device, const std::vector<AckItem>& items) {
  return Run(device, [&](DeviceTransaction& tx) { return registry::ReportSent(tx, items); });
}

absl::StatusOr<RegistrationResult> KvStore::RegisterApp(const DeviceId& device,
                                                        absl::string_view app_id,
                                                        absl::string_view owner) {
  BELLWIRE_ASSIGN_OR_RETURN(const admin::v1::App app, Catalogue(&staged_).GetApp(app_id));
  return Register(device, [&](DeviceTransaction& tx) {
    return registry::RegisterApp(tx, app, owner, gate_.max_registrations());
  });
}

template <typename Operation>
absl::StatusOr<RegistrationResult> KvStore::Register(const DeviceId& device, Operation operation) {
  const absl::StatusOr<RegistrationResult> registered =
      Run(device, [&](DeviceTransaction& tx) -> absl::StatusOr<RegistrationResult> {
        RegistrationResult result;
        BELLWIRE_RETURN_IF_ERROR(gate_.CheckMayRegister(tx));
        BELLWIRE_ASSIGN_OR_RETURN(result.registration_id, operation(tx));
        result.registrations_xor = tx.device().registrations_xor();
        return result;
      });
  gate_.OnRegistration(registered.status());
  return registered;
}

absl::StatusOr<RegistrationResult> KvStore::RemoveApp(const DeviceId& device,
                                                      absl::string_view app_id,
                                                      absl::string_view owner,
                                                      uint64_t registration_id) {
  return Run(device, [&](DeviceTransaction& tx) -> absl::StatusOr<RegistrationResult> {
    BELLWIRE_RETURN_IF_ERROR(registry::RemoveApp(tx, app_id, owner, registration_id));
    return RegistrationResult{.registrations_xor = tx.device().registrations_xor()};
  });
}

absl::StatusOr<RegistrationResult> KvStore::RegisterSubscription(const DeviceId& device,
                                                                 const Subscription& wanted) {
  return Register(device, [&](DeviceTransaction& tx) {
    return registry::RegisterSubscription(tx, wanted, gate_.max_registrations());
  });
}

absl::StatusOr<RegistrationResult> KvStore::RemoveSubscription(const DeviceId& device,
                                                               absl::string_view instance,
                                                               uint64_t registration_id) {
  return Run(device, [&](DeviceTransaction& tx) -> absl::StatusOr<RegistrationResult> {
    BELLWIRE_RETURN_IF_ERROR(registry::RemoveSubscription(tx, instance, registration_id));
    return RegistrationResult{.registrations_xor = tx.device().registrations_xor()};
  });
}

absl::StatusOr<admin::v1::Enrolment> KvStore::PutEnrolment(
    const admin::v1::Enrolment& enrolment) {
  BELLWIRE_RETURN_IF_ERROR(CheckHome());
  return Enrolments(&staged_, options_.feeds).Put(enrolment, NowMs());
}

absl::StatusOr<std::vector<admin::v1::Enrolment>> KvStore::ListEnrolments() {
  return Enrolments(&staged_, options_.feeds).List();
}

absl::StatusOr<admin::v1::Enrolment> KvStore::DeleteEnrolment(absl::string_view enrolment_id) {
  BELLWIRE_RETURN_IF_ERROR(CheckHome());
  return Enrolments(&staged_, options_.feeds).Delete(enrolment_id);
}

absl::StatusOr<admin::v1::ListDevicesResponse> KvStore::ListDevices(
    const std::optional<DeviceId>& after, size_t max) {
  return gate_.List(after, max, [this](const DeviceId& device) { return routes_.Find(device); });
}

absl::StatusOr<admin::v1::GetDeviceResponse> KvStore::GetDevice(const DeviceId& device) {
  return Run(device, [](DeviceTransaction& tx) { return DescribeDevice(tx); });
}

absl::StatusOr<DeviceEndStep> KvStore::EndDevice(const DeviceId& device,
                                                 const DeviceEndOptions& options) {
  // A device without a record has nothing in the outbox either.
  bool may_finish = false;
  if (options.forget && !options.dry_run) {
    BELLWIRE_ASSIGN_OR_RETURN(const RelayResult relayed, RelayReceipts(kMaxRelayEntries));
    may_finish = !relayed.more;
  }
  DeviceEndStep step;
  std::optional<Route> session;
  BELLWIRE_ASSIGN_OR_RETURN(
      const DeviceEndResult result, Run(device, [&](DeviceTransaction& tx) {
        step.device = tx.device();
        session = tx.route();
        return options.dry_run ? CountDeviceEnd(tx, options.forget)
                               : EndDeviceStep(tx, options.forget, may_finish);
      }));
  step.registrations = result.registrations;
  step.messages = result.messages;
  step.lives = result.lives;
  step.done = result.done;
  if (session.has_value() && !options.dry_run) {
    AddHandOver(device, *session)->mutable_evict()->set_revoked(true);
  }
  return step;
}

absl::StatusOr<admin::v1::Team> KvStore::PutTeam(const admin::v1::Team& team) {
  BELLWIRE_RETURN_IF_ERROR(CheckHome());
  return Catalogue(&staged_).PutTeam(team);
}

absl::StatusOr<admin::v1::App> KvStore::PutApp(const admin::v1::App& app) {
  BELLWIRE_RETURN_IF_ERROR(CheckHome());
  app_lives_.Forget();
  return Catalogue(&staged_).PutApp(app);
}

absl::StatusOr<admin::v1::Key> KvStore::PutKey(const admin::v1::Key& key) {
  BELLWIRE_RETURN_IF_ERROR(CheckHome());
  return Catalogue(&staged_).PutKey(key);
}

absl::StatusOr<admin::v1::Team> KvStore::UpdateTeam(const admin::v1::UpdateTeamRequest& request) {
  BELLWIRE_RETURN_IF_ERROR(CheckHome());
  return Catalogue(&staged_).UpdateTeam(request);
}

absl::StatusOr<std::vector<admin::v1::Team>> KvStore::ListTeams() {
  return Catalogue(&staged_).ListTeams();
}

absl::StatusOr<std::vector<admin::v1::App>> KvStore::ListApps(absl::string_view team_id) {
  return Catalogue(&staged_).ListApps(team_id);
}

absl::StatusOr<std::vector<admin::v1::Key>> KvStore::ListKeys(absl::string_view team_id) {
  return Catalogue(&staged_).ListKeys(team_id);
}

absl::StatusOr<admin::v1::Key> KvStore::GetKey(absl::string_view key_id) {
  return Catalogue(&staged_).GetKey(key_id);
}

absl::StatusOr<admin::v1::Key> KvStore::RevokeKey(absl::string_view key_id) {
  BELLWIRE_RETURN_IF_ERROR(CheckHome());
  return Catalogue(&staged_).RevokeKey(key_id, NowMs());
}

absl::StatusOr<admin::v1::Team> KvStore::DeleteTeam(absl::string_view team_id) {
  BELLWIRE_RETURN_IF_ERROR(CheckHome());
  app_lives_.Forget();
  Overlay deletion(&staged_);
  BELLWIRE_ASSIGN_OR_RETURN(admin::v1::Team team,
                            Catalogue(&deletion).DeleteTeam(team_id, NowMs()));
  BELLWIRE_RETURN_IF_ERROR(TopicList(&deletion, team_id).RemoveKept(""));
  deletions_.Begin(team_id, /*app_id=*/"", /*app_created_at_ms=*/0, NowMs(), &deletion);
  BELLWIRE_RETURN_IF_ERROR(ForgetQuotas(&deletion, team_id, ""));
  quotas_.Forget(team_id);
  std::move(deletion).MergeInto(&staged_);
  const absl::Status ended = fan_outs_.EndAll(team_id, NowMs(), options_.clock->Monotonic());
  // They go on then, and nobody gets their messages: all tokens of the team are dead.
  if (!ended.ok()) LogError("fan_outs_not_ended", {{"team", team_id}, {"error", ended.message()}});
  return team;
}

absl::StatusOr<admin::v1::App> KvStore::DeleteApp(absl::string_view app_id) {
  BELLWIRE_RETURN_IF_ERROR(CheckHome());
  app_lives_.Forget();
  Overlay deletion(&staged_);
  BELLWIRE_ASSIGN_OR_RETURN(admin::v1::App app, Catalogue(&deletion).DeleteApp(app_id));
  BELLWIRE_RETURN_IF_ERROR(TopicList(&deletion, app.team_id()).RemoveKept(app_id));
  deletions_.Begin(app.team_id(), app_id, AppCreatedAtMs(app), NowMs(), &deletion);
  BELLWIRE_RETURN_IF_ERROR(ForgetQuotas(&deletion, app.team_id(), app_id));
  quotas_.Forget(app.team_id());
  std::move(deletion).MergeInto(&staged_);
  return app;
}

absl::StatusOr<internal::v1::CountRecordsResponse> KvStore::CountRecords(
    const internal::v1::CountRecordsRequest& request) {
  return registry::CountRecords(staged_, request, options_.feeds.all());
}

absl::StatusOr<SubscriptionChange> KvStore::ChangeSubscription(const DeviceId& device,
                                                               uint64_t registration_id,
                                                               absl::string_view team_id,
                                                               absl::string_view topic,
                                                               bool subscribed) {
  return Run(device, [&](DeviceTransaction& tx) -> absl::StatusOr<SubscriptionChange> {
    BELLWIRE_ASSIGN_OR_RETURN(
        SubscriptionChange change,
        registry::ChangeSubscription(tx, app_lives_, registration_id, team_id, topic, subscribed));
    if (!subscribed || change.unchanged) return change;
    BELLWIRE_ASSIGN_OR_RETURN(const Registration* registration,
                              tx.FindRegistration(registration_id));
    BELLWIRE_RETURN_IF_ERROR(AdmitTopic(registration->team_id(), topic));
    return change;
  });
}

absl::StatusOr<std::vector<TopicOfToken>> KvStore::ListSubscriptions(const DeviceId& device,
                                                                     uint64_t registration_id,
                                                                     absl::string_view team_id) {
  return Run(device, [&](DeviceTransaction& tx) {
    return registry::ListSubscriptions(tx, app_lives_, registration_id, team_id);
  });
}

absl::StatusOr<SubscriberPage> KvStore::PageSubscribers(absl::string_view team_id,
                                                        const std::vector<std::string>& topics,
                                                        const std::optional<SubscriberEntry>& after,
                                                        size_t max, absl::string_view app_id) {
  return registry::PageSubscribers(staged_, team_id, topics, after, max, app_id);
}

absl::StatusOr<internal::v1::ListTopicsResponse> KvStore::ListTopics(absl::string_view team_id,
                                                                     absl::string_view after,
                                                                     size_t max, bool kept_only) {
  BELLWIRE_RETURN_IF_ERROR(CatchUpWithCounts());
  return TopicsOf(team_id).List(after, max, kept_only);
}

absl::StatusOr<internal::v1::KeptTopic> KvStore::PutTopic(
    const internal::v1::PutTopicRequest& request) {
  BELLWIRE_RETURN_IF_ERROR(CheckHome());
  const std::string& team_id = request.topic().team_id();
  BELLWIRE_RETURN_IF_ERROR(Catalogue(&staged_).GetTeam(team_id).status());
  return TopicsOf(team_id).Put(request, NowMs());
}

absl::StatusOr<bool> KvStore::Publish(const internal::v1::PublishTopicRequest& request) {
  BELLWIRE_RETURN_IF_ERROR(CheckHome());
  BELLWIRE_RETURN_IF_ERROR(Catalogue(&staged_).GetTeam(request.team_id()).status());
  BELLWIRE_RETURN_IF_ERROR(CatchUpWithCounts());
  BELLWIRE_RETURN_IF_ERROR(KnowQuotas(request.team_id()));
  BELLWIRE_RETURN_IF_ERROR(quotas_.AdmitTopicMessage(request.team_id()));
  BELLWIRE_ASSIGN_OR_RETURN(const bool duplicate,
                            fan_outs_.Publish(request, NowMs(), options_.clock->Monotonic()));
  claimable_ |= !duplicate;
  if (!duplicate) BELLWIRE_RETURN_IF_ERROR(quotas_.TakeTopicMessage(request.team_id()));
  return duplicate;
}

absl::StatusOr<std::optional<internal::v1::ClaimResponse>> KvStore::Claim(
    const std::string& gateway, absl::Duration lease) {
  BELLWIRE_RETURN_IF_ERROR(CheckHome());
  return fan_outs_.Claim(gateway, lease, options_.clock->Monotonic());
}

absl::StatusOr<bool> KvStore::Advance(const internal::v1::AdvanceRequest& request) {
  BELLWIRE_RETURN_IF_ERROR(CheckHome());
  BELLWIRE_ASSIGN_OR_RETURN(const bool recall,
                            fan_outs_.Advance(request, NowMs(), options_.clock->Monotonic()));
  claimable_ |= request.release() || (recall && request.done());
  return recall;
}

absl::StatusOr<push::v1::TopicMessage> KvStore::GetTopicMessage(absl::string_view team_id,
                                                                const MessageId& message) {
  BELLWIRE_RETURN_IF_ERROR(CheckHome());
  BELLWIRE_RETURN_IF_ERROR(CatchUpWithCounts());
  return fan_outs_.Get(team_id, message, options_.clock->Monotonic());
}

absl::StatusOr<push::v1::TopicMessage> KvStore::RecallTopicMessage(absl::string_view team_id,
                                                                   const MessageId& message) {
  BELLWIRE_RETURN_IF_ERROR(CheckHome());
  claimable_ = true;
  return fan_outs_.Recall(team_id, message, NowMs(), options_.clock->Monotonic());
}

absl::StatusOr<FeedPage> KvStore::ReadReceipts(absl::string_view team_id, uint32_t feed,
                                               std::optional<uint64_t> after, size_t max_receipts) {
  return ReceiptFeed(&staged_, FeedName(team_id, feed), options_.numbers_after,
                     options_.retention.receipts)
      .Read(after, max_receipts);
}

absl::StatusOr<RelayResult> KvStore::RelayReceipts(size_t max_entries) {
  BELLWIRE_ASSIGN_OR_RETURN(RelayResult result, relay_.Run(max_entries, NowMs()));
  grown_feeds_.insert(grown_feeds_.end(), result.teams.begin(), result.teams.end());
  return result;
}

absl::StatusOr<absl::Duration> KvStore::ReportNetwork(const DeviceId& device,
                                                      const NetworkReport& report) {
  return registry::ReportNetwork(&staged_, device, report, NowMs());
}

absl::Status KvStore::WakeEntry(const TimelineEntry& entry, int64_t now_ms) {
  if (entry.kind == TimelineEntry::Kind::kFeed) {
    return ReceiptFeed(&staged_, entry.team_id, options_.numbers_after,
                       options_.retention.receipts)
        .Trim(entry.time_ms, now_ms);
  }
  if (entry.kind == TimelineEntry::Kind::kTopicMessage && FeedOfName(entry.team_id) != 0) {
    return ForgetTopicSteps(&staged_, entry, now_ms);
  }
  if (entry.kind == TimelineEntry::Kind::kTopicMessage) {
    return fan_outs_.Wake(entry, now_ms, options_.clock->Monotonic());
  }
  return Run(entry.device, [&](DeviceTransaction& tx) { return Wake(tx, entry); });
}

bool KvStore::StepChores() {
  // Deletions take away what belongs to all devices, and to no device.
  bool more = !options_.sharing.has_value() || options_.sharing->is_alone()
                  ? StepChore(&deletions_)
                  : false;
  for (Chore* const chore : options_.chores) more |= StepChore(chore);
  return more;
}

bool KvStore::StepChore(Chore* chore) {
  ChoreBudget budget(options_.clock);
  const absl::StatusOr<bool> more = chore->Step(&staged_, &budget);
  if (more.ok()) return *more;
  if (const auto unsaid = chores_failed_.Take()) {
    LogError("chore_failed", {{"error", more.status().message()}, {"unsaid", *unsaid}});
  }
  return false;
}

absl::StatusOr<SweepResult> KvStore::Sweep(size_t max_entries) {
  const int64_t now_ms = NowMs();
  std::vector<std::string> due;
  SweepResult result;
  // Another registry may have changed them.
  if (options_.sharing.has_value()) app_lives_.Forget();
  // Leases run out in silence.
  claimable_ |= fan_outs_.IsClaimable(options_.clock->Monotonic());
  BELLWIRE_RETURN_IF_ERROR(StageRoutes(max_entries));
  const absl::Status scanned =
      staged_.Scan(Family::kTimeline, timeline_from_, TimelineFrom(now_ms + 1),
                   [&](absl::string_view key, absl::string_view) {
                     if (due.size() == max_entries) {
                       result.more = true;
                       return false;
                     }
                     due.emplace_back(key);
                     return true;
                   });
  counters_.OnRead(scanned);
  BELLWIRE_RETURN_IF_ERROR(scanned);
  if (prefetches()) {
    std::vector<DeviceId> devices;
    for (const std::string& key : due) {
      const std::optional<TimelineEntry> entry = ParseTimelineKey(key);
      if (entry.has_value() && entry->team_id.empty()) devices.push_back(entry->device);
    }
    if (!devices.empty()) Prefetch(devices);
  }
  // One entry may end all the messages of an app.
  const size_t max_receipts = receipts_made_ + max_entries;
  auto next = due.begin();
  for (; next != due.end() && receipts_made_ < max_receipts; ++next) {
    const std::optional<TimelineEntry> entry = ParseTimelineKey(*next);
    const absl::Status status =
        entry.has_value() ? WakeEntry(*entry, now_ms) : StoreCorruptError("a timeline entry");
    if (status.ok()) {
      ++result.handled;
    } else {
      LogError("sweep_failed", {{"device", entry.has_value() ? ToHex(entry->device) : ""},
                                {"error", status.message()}});
      if (absl::IsUnavailable(status)) return status;
    }
  }
  // Past those that failed as well: they are tried again after a restart, and must not keep the
  // others.
  if (next != due.end()) {
    timeline_from_ = *next;
    result.more = true;
  } else {
    timeline_from_ = result.more ? due.back() + '\0' : TimelineFrom(now_ms + 1);
  }
  // A device with more than one transaction's worth of due messages has put its entry again.
  NoteTimeline();
  result.more |= timeline_from_ < TimelineFrom(now_ms + 1);
  result.more |= routes_.unstaged() > 0;
  result.chores = StepChores();
  return result;
}

}  // namespace bellwire::registry
