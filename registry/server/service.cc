#include "registry/server/service.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "google/protobuf/util/time_util.h"
#include "registry/mailbox/message_life.h"
#include "registry/quotas/limits.h"
#include "registry/server/request_decoder.h"
#include "registry/server/store.h"

namespace bellwire::registry {
namespace {

// Of up to kMaxFeedBlockReceipts receipts, in appends.
constexpr int64_t kReadReceiptsCost = 8;

template <typename T>
bool Refuse(const absl::StatusOr<T>& decoded, auto& done) {
  if (decoded.ok()) return false;
  std::move(done)(decoded.status());
  return true;
}

bool Refuse(const absl::Status& checked, auto& done) {
  if (checked.ok()) return false;
  std::move(done)(checked);
  return true;
}

PageBounds BoundsOf(const auto& request) {
  return {.max_bytes = request.max_bytes(),
          .max_messages = request.max_messages(),
          .priorities = PrioritySet::Of(request.priorities())};
}

internal::v1::Page ToProto(Page page) {
  internal::v1::Page proto;
  for (Envelope& message : page.messages) *proto.add_messages() = std::move(message);
  proto.set_complete_to_seq(page.complete_to_seq);
  proto.set_more(page.more);
  for (const PassedOver& passed_over : page.passed_over) {
    internal::v1::PassedOver* entry = proto.add_passed_over();
    entry->set_priority(passed_over.priority);
    entry->set_first_seq(passed_over.first_seq);
    entry->set_last_seq(passed_over.last_seq);
  }
  return proto;
}

internal::v1::FeedReceipt ToProto(FeedReceipt receipt) {
  internal::v1::FeedReceipt proto;
  proto.set_position(receipt.position);
  proto.set_device_id(std::string(receipt.device.bytes()));
  proto.set_registration_id(receipt.registration_id);
  proto.set_app_id(std::move(receipt.app_id));
  if (receipt.message_id.has_value()) {
    proto.set_message_id(std::string(receipt.message_id->bytes()));
  }
  proto.mutable_receipt()->set_step(receipt.step);
  *proto.mutable_receipt()->mutable_time() =
      google::protobuf::util::TimeUtil::MillisecondsToTimestamp(absl::ToUnixMillis(receipt.time));
  proto.mutable_receipt()->set_detail(std::move(receipt.detail));
  return proto;
}

// Names the registrations of a device and the key that seals their tokens; never 0. A registration
// of which a device has the id, and a store from a backup not, changes it, and so does another key
// file.
uint64_t TagOf(uint64_t registrations_xor, uint64_t tag_key) {
  const uint64_t tag = registrations_xor ^ tag_key;
  return tag != 0 ? tag : 1;
}
// Undoes it. nullopt: nobody says, or nobody can tell.
std::optional<uint64_t> XorOf(uint64_t tag, uint64_t tag_key) {
  if (tag <= 1) return std::nullopt;
  return tag ^ tag_key;
}

// What others learned on the network. A hint is worth no login: without one the device learns by
// itself.
uint32_t Hint(Store& store, const DeviceId& device, const internal::v1::NetworkReport& network) {
  const absl::StatusOr<NetworkReport> report = DecodeNetworkReport(network);
  const absl::StatusOr<absl::Duration> hint =
      report.ok() ? store.ReportNetwork(device, *report) : report.status();
  if (hint.ok()) return static_cast<uint32_t>(absl::ToInt64Milliseconds(*hint));
  LogWarning("no_network_hint", {{"error", hint.status().message()}});
  return 0;
}

// Whose work it is: a team's, or a subscription's sender's.
Owner OwnerOf(const TokenRef& token) {
  return (token.team_id.empty() ? Owner::Subscriptions() : Owner::Team(token.team_id))
      .About(token.device);
}

absl::Status SubscriptionsOff() {
  return MakeError(absl::StatusCode::kUnavailable, "SUBSCRIPTIONS_OFF",
                   "this server takes no subscriptions now");
}

}  // namespace

void Service::Append(internal::v1::AppendRequest request, Done<internal::v1::AppendResponse> done) {
  absl::StatusOr<TokenRef> token = DecodeToken(request);
  if (Refuse(token, done) || Refuse(CheckMessage(request.message()), done)) return;
  if (request.has_subscription()) {
    if (subscriptions_ == SubscriptionPolicy::kOff) return std::move(done)(SubscriptionsOff());
    if (subscriptions_ == SubscriptionPolicy::kOpen) token->vapid_key = std::nullopt;
  }
  if (IsNowOrNever(request.message()) && !request.validate_only()) {
    absl::StatusOr<std::unique_ptr<Dispatcher::Place>> place =
        dispatcher_.TakePlace(token->team_id);
    if (Refuse(place, done)) return;
    done = [this, device = token->device, waiter = request.waiter(), place = *std::move(place),
            done = std::move(done)](absl::StatusOr<internal::v1::AppendResponse> appended) mutable {
      if (!appended.ok()) {
        place.reset();  // First: who hears the answer may count on it.
        return std::move(done)(std::move(appended));
      }
      dispatcher_.Follow(device, waiter, std::move(place), *std::move(appended), std::move(done));
    };
  }
  const Owner owner = OwnerOf(*token);  // Before the token moves.
  group_commit_->Submit<internal::v1::AppendResponse>(
      owner,
      [token = *std::move(token),
       request = std::move(request)](Store& store) -> absl::StatusOr<internal::v1::AppendResponse> {
        BELLWIRE_ASSIGN_OR_RETURN(const AppendResult result,
                                  store.Append(token, request.message(),
                                               {.validate_only = request.validate_only(),
                                                .message_id_is_new = request.message_id_is_new()}));
        internal::v1::AppendResponse response;
        response.set_seq(result.seq);
        response.set_duplicate(result.duplicate);
        response.set_state(result.state);
        return response;
      },
      std::move(done));
}

void Service::EndWaits(internal::v1::EndWaitsRequest request,
                       Done<internal::v1::EndWaitsResponse> done) {
  dispatcher_.EndWaits(request.waiter());
  std::move(done)(internal::v1::EndWaitsResponse());
}

void Service::GetMessage(internal::v1::GetMessageRequest request,
                         Done<internal::v1::GetMessageResponse> done) {
  absl::StatusOr<TokenRef> token = DecodeToken(request);
  const absl::StatusOr<MessageId> message = DecodeMessageId(request.message_id());
  if (Refuse(token, done) || Refuse(message, done)) return;
  const Owner owner = OwnerOf(*token);  // Before the token moves.
  group_commit_->Submit<internal::v1::GetMessageResponse>(
      owner,
      [token = *std::move(token),
       message = *message](Store& store) -> absl::StatusOr<internal::v1::GetMessageResponse> {
        internal::v1::GetMessageResponse response;
        BELLWIRE_ASSIGN_OR_RETURN(*response.mutable_message(), store.GetMessage(token, message));
        return response;
      },
      std::move(done));
}

void Service::Recall(internal::v1::RecallRequest request, Done<internal::v1::RecallResponse> done) {
  absl::StatusOr<TokenRef> token = DecodeToken(request);
  const absl::StatusOr<MessageId> message = DecodeMessageId(request.message_id());
  if (Refuse(token, done) || Refuse(message, done)) return;
  const Owner owner = OwnerOf(*token);  // Before the token moves.
  group_commit_->Submit<internal::v1::RecallResponse>(
      owner,
      [token = *std::move(token),
       message = *message](Store& store) -> absl::StatusOr<internal::v1::RecallResponse> {
        BELLWIRE_ASSIGN_OR_RETURN(const RecallResult result, store.Recall(token, message));
        internal::v1::RecallResponse response;
        response.set_outcome(result.outcome);
        return response;
      },
      std::move(done));
}

void Service::Bind(internal::v1::BindRequest request, Done<internal::v1::BindResponse> done) {
  const absl::StatusOr<DeviceId> device = DecodeDevice(request.device_id());
  if (Refuse(device, done) || Refuse(CheckRoute(request.route()), done)) return;
  group_commit_->Submit<internal::v1::BindResponse>(
      Owner::Devices().About(*device),
      [device = *device, request = std::move(request), tag_key = sealer_->fingerprint()](
          Store& store) -> absl::StatusOr<internal::v1::BindResponse> {
        const BindOptions options{.mailbox_id = MailboxId::FromBytes(request.mailbox_id()),
                                  .seen_up_to_seq = request.seen_up_to_seq(),
                                  .yields = request.yields(),
                                  .enrolment_token = request.enrolment_token(),
                                  .peer = request.peer()};
        BELLWIRE_ASSIGN_OR_RETURN(BindResult result,
                                  store.Bind(device, request.route(), BoundsOf(request), options));
        internal::v1::BindResponse response;
        response.set_mailbox_id(std::string(result.mailbox_id.bytes()));
        response.set_settled_seq(result.settled_seq);
        response.set_acked_up_to_seq(result.acked_up_to_seq);
        response.set_registrations_tag(TagOf(result.registrations_xor, tag_key));
        *response.mutable_page() = ToProto(std::move(result.page));
        response.set_epoch(store.epoch(device));
        if (request.has_network()) {
          response.set_hint_interval_ms(Hint(store, device, request.network()));
        }
        for (const RecalledMessage& recalled : result.recalls) {
          internal::v1::Recall* recall = response.add_recalls();
          recall->set_message_id(std::string(recalled.message_id.bytes()));
          recall->set_registration_id(recalled.registration_id);
          recall->set_seq(recalled.seq);
        }
        return response;
      },
      std::move(done), GroupCommit::Urgency::kPatient);
}

void Service::Unbind(internal::v1::UnbindRequest request, Done<internal::v1::UnbindResponse> done) {
  const absl::StatusOr<DeviceId> device = DecodeDevice(request.device_id());
  if (Refuse(device, done) || Refuse(CheckRoute(request.route()), done)) return;
  group_commit_->Submit<internal::v1::UnbindResponse>(
      Owner::Devices().About(*device),
      [device = *device,
       request = std::move(request)](Store& store) -> absl::StatusOr<internal::v1::UnbindResponse> {
        BELLWIRE_RETURN_IF_ERROR(store.Unbind(device, request.route()));
        return internal::v1::UnbindResponse();
      },
      std::move(done));
}

void Service::Pull(internal::v1::PullRequest request, Done<internal::v1::PullResponse> done) {
  const absl::StatusOr<DeviceId> device = DecodeDevice(request.device_id());
  if (Refuse(device, done)) return;
  group_commit_->Submit<internal::v1::PullResponse>(
      Owner::Devices().About(*device),
      [device = *device,
       request = std::move(request)](Store& store) -> absl::StatusOr<internal::v1::PullResponse> {
        BELLWIRE_ASSIGN_OR_RETURN(Page page,
                                  store.Pull(device, request.after_seq(), BoundsOf(request)));
        internal::v1::PullResponse response;
        *response.mutable_page() = ToProto(std::move(page));
        response.set_epoch(store.epoch(device));
        return response;
      },
      std::move(done));
}

void Service::Resume(internal::v1::ResumeRequest request,
                     Done<internal::v1::ResumeResponse> done) {
  const absl::StatusOr<DeviceId> device = DecodeDevice(request.device_id());
  if (Refuse(device, done) || Refuse(CheckRoute(request.route()), done)) return;
  group_commit_->Submit<internal::v1::ResumeResponse>(
      Owner::Devices(),
      [device = *device, request = std::move(request), tag_key = sealer_->fingerprint()](
          Store& store) -> absl::StatusOr<internal::v1::ResumeResponse> {
        internal::v1::ResumeResponse response;
        BELLWIRE_ASSIGN_OR_RETURN(
            const bool behind,
            store.Resume(device, request.route(), XorOf(request.registrations_tag(), tag_key),
                         request.after_seq()));
        response.set_behind(behind);
        response.set_epoch(store.epoch(device));
        return response;
      },
      std::move(done));
}

void Service::HandedOver(internal::v1::HandedOverRequest request,
                         Done<internal::v1::HandedOverResponse> done) {
  using internal::v1::HandedOverRequest;
  const absl::StatusOr<DeviceId> device = DecodeDevice(request.device_id());
  if (Refuse(device, done) || Refuse(CheckRoute(request.route()), done)) return;
  dispatcher_.OnHandedOver(*device, request.seq(), request.outcome());
  if (request.outcome() != HandedOverRequest::NO_SESSION) {
    return std::move(done)(internal::v1::HandedOverResponse());
  }
  // Its route leads nowhere.
  group_commit_->Submit<internal::v1::HandedOverResponse>(
      Owner::Devices(),
      [device = *device, route = request.route()](
          Store& store) -> absl::StatusOr<internal::v1::HandedOverResponse> {
        BELLWIRE_RETURN_IF_ERROR(store.Unbind(device, route));
        return internal::v1::HandedOverResponse();
      },
      std::move(done), GroupCommit::Urgency::kPatient);
}

void Service::Ack(internal::v1::AckRequest request, Done<internal::v1::AckResponse> done) {
  const absl::StatusOr<DeviceId> device = DecodeDevice(request.device_id());
  absl::StatusOr<std::vector<AckItem>> items = DecodeAckItems(request.items());
  if (Refuse(device, done) || Refuse(CheckRoute(request.route()), done) || Refuse(items, done)) {
    return;
  }
  group_commit_->Submit<internal::v1::AckResponse>(
      Owner::Devices().About(*device),
      [device = *device, route = request.route(),
       items = *std::move(items)](Store& store) -> absl::StatusOr<internal::v1::AckResponse> {
        BELLWIRE_RETURN_IF_ERROR(store.Acknowledge(device, route, items));
        return internal::v1::AckResponse();
      },
      std::move(done), GroupCommit::Urgency::kPatient);
}

void Service::AppAck(internal::v1::AppAckRequest request, Done<internal::v1::AppAckResponse> done) {
  const absl::StatusOr<DeviceId> device = DecodeDevice(request.device_id());
  absl::StatusOr<std::vector<AppAckItem>> items = DecodeAppAckItems(request.items());
  if (Refuse(device, done) || Refuse(items, done)) return;
  group_commit_->Submit<internal::v1::AppAckResponse>(
      Owner::Devices().About(*device),
      [device = *device,
       items = *std::move(items)](Store& store) -> absl::StatusOr<internal::v1::AppAckResponse> {
        BELLWIRE_RETURN_IF_ERROR(store.AppAcknowledge(device, items));
        return internal::v1::AppAckResponse();
      },
      std::move(done), GroupCommit::Urgency::kPatient);
}

void Service::ReportSent(internal::v1::ReportSentRequest request,
                         Done<internal::v1::ReportSentResponse> done) {
  const absl::StatusOr<DeviceId> device = DecodeDevice(request.device_id());
  absl::StatusOr<std::vector<AckItem>> items = DecodeAckItems(request.items());
  if (Refuse(device, done) || Refuse(items, done)) return;
  group_commit_->Submit<internal::v1::ReportSentResponse>(
      Owner::Devices().About(*device),
      [device = *device, items = *std::move(items)](
          Store& store) -> absl::StatusOr<internal::v1::ReportSentResponse> {
        BELLWIRE_RETURN_IF_ERROR(store.ReportSent(device, items));
        return internal::v1::ReportSentResponse();
      },
      std::move(done), GroupCommit::Urgency::kPatient);
}

void Service::ReportNetwork(internal::v1::ReportNetworkRequest request,
                            Done<internal::v1::ReportNetworkResponse> done) {
  const absl::StatusOr<DeviceId> device = DecodeDevice(request.device_id());
  const absl::StatusOr<NetworkReport> report = DecodeNetworkReport(request.network());
  if (Refuse(device, done) || Refuse(report, done)) return;
  group_commit_->Submit<internal::v1::ReportNetworkResponse>(
      Owner::Devices().About(*device),
      [device = *device,
       report = *report](Store& store) -> absl::StatusOr<internal::v1::ReportNetworkResponse> {
        BELLWIRE_ASSIGN_OR_RETURN(const absl::Duration hint, store.ReportNetwork(device, report));
        internal::v1::ReportNetworkResponse response;
        response.set_hint_interval_ms(static_cast<uint32_t>(absl::ToInt64Milliseconds(hint)));
        return response;
      },
      std::move(done));
}

void Service::RegisterApp(internal::v1::RegisterAppRequest request,
                          Done<internal::v1::RegisterAppResponse> done) {
  const absl::StatusOr<DeviceId> device = DecodeDevice(request.device_id());
  if (Refuse(device, done)) return;
  if (request.has_subscription()) {
    return RegisterSubscription(*device, std::move(*request.mutable_subscription()),
                                std::move(done));
  }
  if (Refuse(CheckAppId(request.app_id()), done)) return;
  if (Refuse(CheckAppOwner(request.owner()), done)) return;
  group_commit_->Submit<internal::v1::RegisterAppResponse>(
      Owner::Devices().About(*device),
      [this, device = *device, app_id = request.app_id(),
       owner = request.owner()](Store& store) -> absl::StatusOr<internal::v1::RegisterAppResponse> {
        BELLWIRE_ASSIGN_OR_RETURN(const RegistrationResult result,
                                  store.RegisterApp(device, app_id, owner));
        return Registered(device, result, AppTag(app_id));
      },
      std::move(done));
}

void Service::RegisterSubscription(const DeviceId& device, internal::v1::Subscription subscription,
                                   Done<internal::v1::RegisterAppResponse> done) {
  if (Refuse(CheckSubscription(subscription), done)) return;
  if (subscriptions_ == SubscriptionPolicy::kOff) {
    return std::move(done)(MakeError(absl::StatusCode::kFailedPrecondition, "SUBSCRIPTIONS_OFF",
                                     "this server takes no subscriptions"));
  }
  if (subscriptions_ == SubscriptionPolicy::kStrict && subscription.vapid_key().empty()) {
    return std::move(done)(MakeError(absl::StatusCode::kFailedPrecondition, "VAPID_REQUIRED",
                                     "this server wants a VAPID key for every subscription"));
  }
  group_commit_->Submit<internal::v1::RegisterAppResponse>(
      Owner::Devices().About(device),
      [this, device, subscription = std::move(subscription)](
          Store& store) -> absl::StatusOr<internal::v1::RegisterAppResponse> {
        BELLWIRE_ASSIGN_OR_RETURN(const RegistrationResult result,
                                  store.RegisterSubscription(device, subscription));
        return Registered(device, result, kSubscriptionTag);
      },
      std::move(done));
}

internal::v1::RegisterAppResponse Service::Registered(const DeviceId& device,
                                                      const RegistrationResult& result,
                                                      uint64_t app_tag) const {
  internal::v1::RegisterAppResponse response;
  response.set_registration_id(result.registration_id);
  response.set_registrations_tag(TagOf(result.registrations_xor, sealer_->fingerprint()));
  response.set_token(sealer_->Seal(
      {.device_id = device, .registration_id = result.registration_id, .app_tag = app_tag}));
  return response;
}

void Service::RemoveApp(internal::v1::RemoveAppRequest request,
                        Done<internal::v1::RemoveAppResponse> done) {
  const absl::StatusOr<DeviceId> device = DecodeDevice(request.device_id());
  const bool is_subscription = !request.instance().empty();
  if (Refuse(device, done) ||
      Refuse(is_subscription ? CheckInstance(request.instance()) : CheckAppId(request.app_id()),
             done) ||
      Refuse(CheckAppOwner(request.owner()), done)) {
    return;
  }
  group_commit_->Submit<internal::v1::RemoveAppResponse>(
      Owner::Devices().About(*device),
      [device = *device, name = is_subscription ? request.instance() : request.app_id(),
       owner = request.owner(), is_subscription, registration_id = request.registration_id(),
       tag_key = sealer_->fingerprint()](
          Store& store) -> absl::StatusOr<internal::v1::RemoveAppResponse> {
        BELLWIRE_ASSIGN_OR_RETURN(const RegistrationResult result,
                                  is_subscription
                                      ? store.RemoveSubscription(device, name, registration_id)
                                      : store.RemoveApp(device, name, owner, registration_id));
        internal::v1::RemoveAppResponse response;
        response.set_registrations_tag(TagOf(result.registrations_xor, tag_key));
        return response;
      },
      std::move(done));
}

Service::~Service() {
  receipt_waiters_.WakeAll();
  claim_waiters_.WakeAll();
}

void Service::ReadReceipts(internal::v1::ReadReceiptsRequest request,
                           Done<internal::v1::ReadReceiptsResponse> done) {
  if (Refuse(CheckTeamId(request.team_id()), done) || Refuse(CheckReadReceipts(request), done)) {
    return;
  }
  group_commit_->Submit<internal::v1::ReadReceiptsResponse>(
      Owner::Team(request.team_id(), kReadReceiptsCost),
      [this, request](Store& store) -> absl::StatusOr<internal::v1::ReadReceiptsResponse> {
        if (request.stream() != 0 && request.feed() == 0) {
          BELLWIRE_RETURN_IF_ERROR(store.NoteReceiptStream(request.team_id(), request.stream(),
                                                           request.stream_ended()));
          if (request.stream_ended()) return internal::v1::ReadReceiptsResponse();
        }
        BELLWIRE_ASSIGN_OR_RETURN(
            FeedPage page,
            store.ReadReceipts(request.team_id(), request.feed(),
                               request.from_now()
                                   ? std::nullopt
                                   : std::optional<uint64_t>(request.after_position()),
                               std::min<size_t>(request.max_receipts(), kMaxFeedBlockReceipts)));
        internal::v1::ReadReceiptsResponse response;
        for (FeedReceipt& receipt : page.receipts) {
          *response.add_receipts() = ToProto(std::move(receipt));
        }
        response.set_next_position(page.next_position);
        for (const FeedPlace& place : page.after) {
          internal::v1::FeedPosition* const after = response.add_after();
          after->set_feed(place.feed);
          after->set_position(place.position);
        }
        if (feeds_) {
          for (const uint32_t feed : feeds_()) response.add_feeds(feed);
        }
        return response;
      },
      [this, request,
       done = std::move(done)](absl::StatusOr<internal::v1::ReadReceiptsResponse> read) mutable {
        const bool wait = read.ok() && read->receipts_size() == 0 && !request.from_now() &&
                          !request.stream_ended() && request.wait_ms() > 0;
        if (!wait) {
          std::move(done)(std::move(read));
          return;
        }
        // On the writer's thread, as is every growth of a feed: none can be missed in between.
        const MonotonicTime until =
            clock_->Monotonic() + std::min(absl::Milliseconds(request.wait_ms()), kMaxReceiptWait);
        request.set_wait_ms(0);
        const std::string team_id = request.team_id();
        receipt_waiters_.Park(team_id, until,
                              [this, request = std::move(request),
                               done = std::move(done)](absl::Status admitted) mutable {
                                if (Refuse(admitted, done)) return;
                                ReadReceipts(std::move(request), std::move(done));
                              });
      });
}

void Service::GetKey(internal::v1::GetKeyRequest request, Done<admin::v1::Key> done) {
  if (Refuse(CheckKeyId(request.key_id()), done)) return;
  group_commit_->Submit<admin::v1::Key>(
      Owner::Unauthenticated(),
      [key_id = request.key_id()](Store& store) { return store.GetKey(key_id); }, std::move(done));
}

void Service::PutTeam(admin::v1::Team request, Done<admin::v1::Team> done) {
  if (Refuse(CheckTeam(request), done)) return;
  group_commit_->Submit<admin::v1::Team>(
      Owner::Operator(), [team = std::move(request)](Store& store) { return store.PutTeam(team); },
      std::move(done));
}

void Service::PutApp(admin::v1::App request, Done<admin::v1::App> done) {
  if (Refuse(CheckApp(request), done)) return;
  group_commit_->Submit<admin::v1::App>(
      Owner::Operator(), [app = std::move(request)](Store& store) { return store.PutApp(app); },
      std::move(done));
}

void Service::PutKey(admin::v1::Key request, Done<admin::v1::Key> done) {
  if (Refuse(CheckKey(request), done)) return;
  group_commit_->Submit<admin::v1::Key>(
      Owner::Operator(), [key = std::move(request)](Store& store) { return store.PutKey(key); },
      std::move(done));
}

void Service::UpdateTeam(admin::v1::UpdateTeamRequest request, Done<admin::v1::Team> done) {
  if (Refuse(CheckTeamId(request.team_id()), done)) return;
  group_commit_->Submit<admin::v1::Team>(
      Owner::Operator(),
      [request = std::move(request)](Store& store) { return store.UpdateTeam(request); },
      std::move(done));
}

void Service::ListTeams(admin::v1::ListTeamsRequest, Done<admin::v1::ListTeamsResponse> done) {
  group_commit_->Submit<admin::v1::ListTeamsResponse>(
      Owner::Operator(),
      [](Store& store) -> absl::StatusOr<admin::v1::ListTeamsResponse> {
        BELLWIRE_ASSIGN_OR_RETURN(std::vector<admin::v1::Team> teams, store.ListTeams());
        admin::v1::ListTeamsResponse response;
        for (admin::v1::Team& team : teams) *response.add_teams() = std::move(team);
        return response;
      },
      std::move(done));
}

void Service::ListApps(admin::v1::ListAppsRequest request, Done<admin::v1::ListAppsResponse> done) {
  if (Refuse(CheckTeamId(request.team_id()), done)) return;
  group_commit_->Submit<admin::v1::ListAppsResponse>(
      Owner::Operator(),
      [team_id = request.team_id()](Store& store) -> absl::StatusOr<admin::v1::ListAppsResponse> {
        BELLWIRE_ASSIGN_OR_RETURN(std::vector<admin::v1::App> apps, store.ListApps(team_id));
        admin::v1::ListAppsResponse response;
        for (admin::v1::App& app : apps) *response.add_apps() = std::move(app);
        return response;
      },
      std::move(done));
}

void Service::ListKeys(admin::v1::ListKeysRequest request, Done<admin::v1::ListKeysResponse> done) {
  if (Refuse(CheckTeamId(request.team_id()), done)) return;
  group_commit_->Submit<admin::v1::ListKeysResponse>(
      Owner::Operator(),
      [team_id = request.team_id()](Store& store) -> absl::StatusOr<admin::v1::ListKeysResponse> {
        BELLWIRE_ASSIGN_OR_RETURN(std::vector<admin::v1::Key> keys, store.ListKeys(team_id));
        admin::v1::ListKeysResponse response;
        for (admin::v1::Key& key : keys) *response.add_keys() = std::move(key);
        return response;
      },
      std::move(done));
}

void Service::GetQuota(admin::v1::GetQuotaRequest request,
                       Done<admin::v1::GetQuotaResponse> done) {
  if (!request.team_id().empty() && Refuse(CheckTeamId(request.team_id()), done)) return;
  group_commit_->Submit<admin::v1::GetQuotaResponse>(
      Owner::Operator(),
      [team_id = request.team_id()](Store& store) { return store.GetQuota(team_id); },
      std::move(done));
}

void Service::SetQuota(admin::v1::SetQuotaRequest request, Done<admin::v1::QuotaReport> done) {
  if (Refuse(CheckSetQuota(request), done)) return;
  group_commit_->Submit<admin::v1::QuotaReport>(
      Owner::Operator(),
      [request = std::move(request)](Store& store) { return store.SetQuota(request); },
      std::move(done));
}

void Service::RevokeKey(admin::v1::RevokeKeyRequest request, Done<admin::v1::Key> done) {
  if (Refuse(CheckKeyId(request.key_id()), done)) return;
  group_commit_->Submit<admin::v1::Key>(
      Owner::Operator(),
      [key_id = request.key_id()](Store& store) { return store.RevokeKey(key_id); },
      std::move(done));
}

void Service::DeleteTeam(admin::v1::DeleteTeamRequest request, Done<admin::v1::Team> done) {
  if (Refuse(CheckTeamId(request.team_id()), done)) return;
  group_commit_->Submit<admin::v1::Team>(
      Owner::Operator(),
      [team_id = request.team_id()](Store& store) { return store.DeleteTeam(team_id); },
      std::move(done));
}

void Service::DeleteApp(admin::v1::DeleteAppRequest request, Done<admin::v1::App> done) {
  if (Refuse(CheckAppId(request.app_id()), done)) return;
  group_commit_->Submit<admin::v1::App>(
      Owner::Operator(),
      [app_id = request.app_id()](Store& store) { return store.DeleteApp(app_id); },
      std::move(done));
}

void Service::CountRecords(internal::v1::CountRecordsRequest request,
                           Done<internal::v1::CountRecordsResponse> done) {
  const admin::v1::CountRecordsRequest& of = request.of();
  if (Refuse(of.app_id().empty() ? CheckTeamId(of.team_id()) : CheckAppId(of.app_id()), done)) {
    return;
  }
  group_commit_->Submit<internal::v1::CountRecordsResponse>(
      Owner::Operator(),
      [request = std::move(request)](Store& store) { return store.CountRecords(request); },
      std::move(done));
}

void Service::GetMap(internal::v1::GetPartitionMapRequest request,
                     Done<internal::v1::PartitionMap> done) {
  maps_.Get(request, std::move(done));
}

void Service::Backup(admin::v1::BackupRequest request, Done<admin::v1::BackupResponse> done) {
  if (backups_ == nullptr) return std::move(done)(BackupsOffError());
  backups_->Make(request, std::move(done));
}

void Service::GetPayloadKeys(admin::v1::GetPayloadKeysRequest,
                             Done<admin::v1::GetPayloadKeysResponse> done) {
  admin::v1::GetPayloadKeysResponse response;
  if (payload_keys_) response = payload_keys_();
  std::move(done)(std::move(response));
}

}  // namespace bellwire::registry
