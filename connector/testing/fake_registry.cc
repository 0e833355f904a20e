#include "connector/testing/fake_registry.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/error.h"

namespace bellwire::connector {

namespace {

bool SameRoute(const internal::v1::Route& a, const internal::v1::Route& b) {
  return a.SerializeAsString() == b.SerializeAsString();
}

}  // namespace

template <typename Response, typename Effect>
void FakeRegistry::Serve(absl::string_view device_id, Done<Response> done, Effect effect) {
  absl::StatusOr<Response> response =
      MakeError(absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE", "down");
  {
    absl::MutexLock lock(&mutex_);
    ++calls_;
    if (!down_) response = effect(devices_[std::string(device_id)]);
    changed_.SignalAll();
  }
  std::move(done)(std::move(response));
}

FakeRegistry::Appended FakeRegistry::AddMessage(const DeviceId& device, absl::string_view payload,
                                                bool now_or_never) {
  absl::MutexLock lock(&mutex_);
  Device& records = devices_[std::string(device.bytes())];
  Appended appended;
  appended.message.set_seq(++records.last_seq);
  appended.message.set_message_id(std::string(NewMessageId().bytes()));
  appended.message.set_registration_id(1);
  appended.message.set_payload(std::string(payload));
  appended.message.set_accepted_at_ms(1000);
  appended.message.set_expires_at_ms(now_or_never ? 1000 : 2000);
  if (!now_or_never) records.mailbox[records.last_seq] = appended.message;
  appended.route = records.route;
  return appended;
}

void FakeRegistry::set_down(bool down) {
  absl::MutexLock lock(&mutex_);
  down_ = down;
}

std::optional<internal::v1::Route> FakeRegistry::RouteOf(const DeviceId& device) const {
  absl::MutexLock lock(&mutex_);
  const auto it = devices_.find(std::string(device.bytes()));
  return it == devices_.end() ? std::nullopt : it->second.route;
}

void FakeRegistry::SetRoute(const DeviceId& device, const internal::v1::Route& route) {
  absl::MutexLock lock(&mutex_);
  Device& records = devices_[std::string(device.bytes())];
  records.route = route;
  records.last_login_number = route.login_number();
}

size_t FakeRegistry::MailboxSize(const DeviceId& device) const {
  absl::MutexLock lock(&mutex_);
  const auto it = devices_.find(std::string(device.bytes()));
  return it == devices_.end() ? 0 : it->second.mailbox.size();
}

std::vector<uint64_t> FakeRegistry::AckedSeqs(const DeviceId& device) const {
  absl::MutexLock lock(&mutex_);
  const auto it = devices_.find(std::string(device.bytes()));
  return it == devices_.end() ? std::vector<uint64_t>() : it->second.acked;
}

size_t FakeRegistry::calls() const {
  absl::MutexLock lock(&mutex_);
  return calls_;
}

bool FakeRegistry::WaitUntil(absl::AnyInvocable<bool() const> condition,
                             absl::Duration limit) const {
  const absl::Time deadline = RealClock()->WallNow() + limit;
  for (;;) {
    const size_t calls_before = calls();
    if (condition()) return true;
    absl::MutexLock lock(&mutex_);
    while (calls_ == calls_before) {
      if (changed_.WaitWithDeadline(&mutex_, deadline)) return false;
    }
  }
}

void FakeRegistry::FillPage(const Device& device, uint64_t after, uint32_t max_bytes,
                            uint32_t max_messages, PrioritySet priorities,
                            internal::v1::Page* page) {
  page->set_complete_to_seq(device.last_seq);
  size_t bytes = 0;
  for (auto it = device.mailbox.upper_bound(after); it != device.mailbox.end(); ++it) {
    if (!priorities.Contains(PriorityOf(it->second))) {
      internal::v1::PassedOver* passed_over = page->add_passed_over();
      passed_over->set_priority(PriorityOf(it->second));
      passed_over->set_first_seq(it->first);
      passed_over->set_last_seq(it->first);
      continue;
    }
    bytes += it->second.payload().size();
    if (page->messages_size() > 0 &&
        (bytes > max_bytes || static_cast<uint32_t>(page->messages_size()) >= max_messages)) {
      page->set_more(true);
      page->set_complete_to_seq(it->first - 1);
      return;
    }
    *page->add_messages() = it->second;
  }
}

void FakeRegistry::Bind(internal::v1::BindRequest request, Done<internal::v1::BindResponse> done) {
  std::optional<internal::v1::Route> evicted;
  Serve(request.device_id(), std::move(done),
        [&](Device& device) -> absl::StatusOr<internal::v1::BindResponse> {
          const internal::v1::Route& route = request.route();
          const bool same = device.route.has_value() && SameRoute(*device.route, route);
          if (route.login_number() <= device.last_login_number && !same) {
            return WithMetadata(
                MakeError(absl::StatusCode::kFailedPrecondition, "STALE_LOGIN", "stale"),
                "winning_login_number", absl::StrCat(device.last_login_number));
          }
          internal::v1::BindResponse response;
          response.set_mailbox_id("mailbox of device");
          response.mutable_mailbox_id()->resize(MailboxId::kSize);
          response.set_settled_seq(device.mailbox.empty() ? device.last_seq
                                                          : device.mailbox.begin()->first - 1);
          evicted = same ? std::nullopt : device.route;
          FillPage(device, response.settled_seq(), request.max_bytes(), request.max_messages(),
                   PrioritySet::Of(request.priorities()), response.mutable_page());
          device.route = route;
          device.last_login_number = route.login_number();
          return response;
        });
  if (!evicted.has_value() || !hand_over_) return;
  internal::v1::ConnectorRequest evict;
  *evict.mutable_route() = *evicted;
  evict.set_device_id(request.device_id());
  evict.mutable_evict()->set_winning_login_number(request.route().login_number());
  hand_over_(std::move(evict));
}

void FakeRegistry::Unbind(internal::v1::UnbindRequest request,
                          Done<internal::v1::UnbindResponse> done) {
  Serve(request.device_id(), std::move(done), [&request](Device& device) {
    if (device.route.has_value() && SameRoute(*device.route, request.route())) {
      device.route.reset();
    }
    return internal::v1::UnbindResponse();
  });
}

void FakeRegistry::Pull(internal::v1::PullRequest request, Done<internal::v1::PullResponse> done) {
  Serve(request.device_id(), std::move(done), [&request](Device& device) {
    internal::v1::PullResponse response;
    FillPage(device, request.after_seq(), request.max_bytes(), request.max_messages(),
             PrioritySet::Of(request.priorities()), response.mutable_page());
    return response;
  });
}

void FakeRegistry::Resume(internal::v1::ResumeRequest request,
                          Done<internal::v1::ResumeResponse> done) {
  Serve(request.device_id(), std::move(done), [&request](Device& device) {
    internal::v1::ResumeResponse response;
    response.set_behind(device.mailbox.upper_bound(request.after_seq()) != device.mailbox.end());
    return response;
  });
}

void FakeRegistry::HandedOver(internal::v1::HandedOverRequest request,
                              Done<internal::v1::HandedOverResponse> done) {
  Serve(request.device_id(), std::move(done), [&request](Device& device) {
    device.outcomes[request.seq()] = request.outcome();
    return internal::v1::HandedOverResponse();
  });
}

std::optional<internal::v1::HandedOverRequest::Outcome> FakeRegistry::OutcomeOf(
    const DeviceId& device, uint64_t seq) const {
  absl::MutexLock lock(&mutex_);
  const auto records = devices_.find(std::string(device.bytes()));
  if (records == devices_.end()) return std::nullopt;
  const auto it = records->second.outcomes.find(seq);
  return it == records->second.outcomes.end() ? std::nullopt : std::optional(it->second);
}

void FakeRegistry::Ack(internal::v1::AckRequest request, Done<internal::v1::AckResponse> done) {
  Serve(request.device_id(), std::move(done), [&request](Device& device) {
    for (const auto& item : request.items()) {
      device.mailbox.erase(item.seq());
      device.acked.push_back(item.seq());
    }
    return internal::v1::AckResponse();
  });
}

void FakeRegistry::AppAck(internal::v1::AppAckRequest request,
                          Done<internal::v1::AppAckResponse> done) {
  Serve(request.device_id(), std::move(done),
        [](Device&) { return internal::v1::AppAckResponse(); });
}

void FakeRegistry::ReportSent(internal::v1::ReportSentRequest request,
                              Done<internal::v1::ReportSentResponse> done) {
  Serve(request.device_id(), std::move(done),
        [](Device&) { return internal::v1::ReportSentResponse(); });
}

void FakeRegistry::ReportNetwork(internal::v1::ReportNetworkRequest request,
                                 Done<internal::v1::ReportNetworkResponse> done) {
  Serve(request.device_id(), std::move(done),
        [](Device&) { return internal::v1::ReportNetworkResponse(); });
}

void FakeRegistry::RegisterApp(internal::v1::RegisterAppRequest request,
                               Done<internal::v1::RegisterAppResponse> done) {
  Serve(request.device_id(), std::move(done), [&request](Device&) {
    internal::v1::RegisterAppResponse response;
    response.set_registration_id(1);
    response.set_token(absl::StrCat("token of ", request.app_id()));
    return response;
  });
}

void FakeRegistry::RemoveApp(internal::v1::RemoveAppRequest request,
                             Done<internal::v1::RemoveAppResponse> done) {
  Serve(request.device_id(), std::move(done),
        [](Device&) { return internal::v1::RemoveAppResponse(); });
}

std::set<std::string> FakeRegistry::TopicsOf(const DeviceId& device) const {
  absl::MutexLock lock(&mutex_);
  const auto it = devices_.find(std::string(device.bytes()));
  return it == devices_.end() ? std::set<std::string>() : it->second.topics;
}

void FakeRegistry::ChangeSubscription(internal::v1::ChangeSubscriptionRequest request,
                                      Done<internal::v1::ChangeSubscriptionResponse> done) {
  Serve(request.device_id(), std::move(done), [&request](Device& device) {
    const std::string name =
        absl::StrCat("registration ", request.registration_id(), ": ", request.topic());
    internal::v1::ChangeSubscriptionResponse response;
    response.set_unchanged(request.subscribed() ? !device.topics.insert(name).second
                                                : device.topics.erase(name) == 0);
    return response;
  });
}

#define BELLWIRE_NOT_CALLED(Method, Request, Response)                        \
  void FakeRegistry::Method(Request, Done<Response> done) {                   \
    std::move(done)(absl::UnimplementedError("no connector calls " #Method)); \
  }
BELLWIRE_NOT_CALLED(ListSubscriptions, internal::v1::ListSubscriptionsRequest,
                    internal::v1::ListSubscriptionsResponse)
BELLWIRE_NOT_CALLED(PageSubscribers, internal::v1::PageSubscribersRequest,
                    internal::v1::PageSubscribersResponse)
BELLWIRE_NOT_CALLED(ListTopics, internal::v1::ListTopicsRequest, internal::v1::ListTopicsResponse)
BELLWIRE_NOT_CALLED(PutTopic, internal::v1::PutTopicRequest, internal::v1::KeptTopic)
BELLWIRE_NOT_CALLED(Publish, internal::v1::PublishTopicRequest, internal::v1::PublishTopicResponse)
BELLWIRE_NOT_CALLED(Claim, internal::v1::ClaimRequest, internal::v1::ClaimResponse)
BELLWIRE_NOT_CALLED(Advance, internal::v1::AdvanceRequest, internal::v1::AdvanceResponse)
BELLWIRE_NOT_CALLED(GetTopicMessage, internal::v1::GetTopicMessageRequest, push::v1::TopicMessage)
BELLWIRE_NOT_CALLED(RecallTopicMessage, internal::v1::GetTopicMessageRequest,
                    push::v1::TopicMessage)
#undef BELLWIRE_NOT_CALLED

}  // namespace bellwire::connector
