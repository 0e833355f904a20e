#ifndef BELLWIRE_GATEWAY_TOPICS_TESTING_TOPIC_REGISTRY_MODEL_H_
#define BELLWIRE_GATEWAY_TOPICS_TESTING_TOPIC_REGISTRY_MODEL_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "net/loop/event_loop.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// What a registry promises about topics and mailboxes, in a few maps, on a simulated loop. Requests
// travel for a while, and so do answers; either can get lost, and the registry can be away. Nothing
// of it survives in a caller: it may be killed at any time.
//
// Single-threaded.
class TopicRegistryModel final : public TopicApi, public MailboxApi {
 public:
  using Name = std::pair<std::string, uint64_t>;  // Device and registration.

  struct Faults {
    absl::Duration longest_way = absl::Milliseconds(5);
    // Of a thousand requests: get lost before they arrive, or their answers; arrive up to 40 s
    // late.
    int lost_requests = 0;
    int lost_answers = 0;
    int late_requests = 0;
  };

  struct Registration {
    std::string app_id = "com.example.mail";
    std::set<std::string> topics;
    bool alive = true;
    bool full = false;
    // How often each message id was accepted anew; what of it was taken back.
    std::map<std::string, int> accepted;
    std::set<std::string> recalled;
    // Of topic messages, by their ids: how many messages came of it.
    std::map<std::string, int> of_topic_message;
    std::vector<internal::v1::Envelope> mailbox;
  };

  struct TopicMessage {
    internal::v1::PublishTopicRequest request;
    std::optional<internal::v1::Subscriber> after;
    int64_t sent = 0;
    int64_t passed_over = 0;
    std::string gateway;
    MonotonicTime lease_end;
    bool recall_asked = false;
    bool recalling = false;
    std::optional<internal::v1::Subscriber> up_to;
    bool ended = false;
    int claims = 0;
  };

  TopicRegistryModel(net::EventLoop* loop, uint64_t seed) : loop_(loop), random_(seed) {}

  Faults faults;
  bool away = false;
  std::map<Name, Registration> registrations;
  // In the order in which they were accepted.
  std::vector<TopicMessage> messages;
  // Every change of a subscription and every append so far.
  int64_t changes = 0;
  int64_t appends = 0;

  void Add(internal::v1::PublishTopicRequest request) {
    messages.emplace_back().request = std::move(request);
  }
  TopicMessage* Find(absl::string_view id) {
    for (TopicMessage& message : messages) {
      if (message.request.message_id() == id) return &message;
    }
    return nullptr;
  }
  // As RecallTopicMessage does.
  void AskRecall(TopicMessage& message) {
    message.recall_asked = true;
    if (message.ended) {
      BeginRecall(message, TheEnd());
    } else if (message.gateway.empty()) {
      BeginRecall(message, message.after);
    }
    // Else it waits for the gateway that sends, or for the end of its lease.
  }

  // --- TopicApi and MailboxApi, as far as fan-outs use them. ---

  void ChangeSubscription(internal::v1::ChangeSubscriptionRequest request,
                          Done<internal::v1::ChangeSubscriptionResponse> done) override {
    Travel<internal::v1::ChangeSubscriptionResponse>(
        std::move(done),
        [this, request]() -> absl::StatusOr<internal::v1::ChangeSubscriptionResponse> {
          ++changes;
          std::set<std::string>& topics =
              registrations[{request.device_id(), request.registration_id()}].topics;
          if (request.subscribed()) {
            topics.insert(request.topic());
          } else {
            topics.erase(request.topic());
          }
          return internal::v1::ChangeSubscriptionResponse();
        });
  }

  void PageSubscribers(internal::v1::PageSubscribersRequest request,
                       Done<internal::v1::PageSubscribersResponse> done) override {
    Travel<internal::v1::PageSubscribersResponse>(
        std::move(done),
        [this, request]() -> absl::StatusOr<internal::v1::PageSubscribersResponse> {
          internal::v1::PageSubscribersResponse page;
          auto it = request.has_after()
                        ? registrations.upper_bound(
                              {request.after().device_id(), request.after().registration_id()})
                        : registrations.begin();
          for (; it != registrations.end(); ++it) {
            uint32_t bits = 0;
            for (int i = 0; i < request.topics_size(); ++i) {
              if (it->second.topics.count(request.topics(i)) > 0) bits |= 1u << i;
            }
            if (bits == 0) continue;
            if (!request.app_id().empty() && it->second.app_id != request.app_id()) continue;
            if (page.subscribers_size() == static_cast<int>(request.max_subscribers())) {
              page.set_more(true);
              break;
            }
            internal::v1::Subscriber* const subscriber = page.add_subscribers();
            subscriber->set_device_id(it->first.first);
            subscriber->set_registration_id(it->first.second);
            subscriber->set_topics(bits);
          }
          return page;
        });
  }

  void Claim(internal::v1::ClaimRequest request, Done<internal::v1::ClaimResponse> done) override {
    auto kept = std::make_shared<Done<internal::v1::ClaimResponse>>(std::move(done));
    if (away) return After(Way(), [kept] { std::move (*kept)(Unavailable()); });
    const MonotonicTime end = loop_->clock().Monotonic() + absl::Milliseconds(request.wait_ms());
    After(Way(), [this, request, kept, end] { TryClaim(request, kept, end); });
  }

  void Advance(internal::v1::AdvanceRequest request,
               Done<internal::v1::AdvanceResponse> done) override {
    Travel<internal::v1::AdvanceResponse>(
        std::move(done), [this, request]() -> absl::StatusOr<internal::v1::AdvanceResponse> {
          TopicMessage* const message = Find(request.message_id());
          if (message == nullptr || message->gateway != request.gateway()) {
            return MakeError(absl::StatusCode::kFailedPrecondition, "CLAIM_LOST", "lost");
          }
          if (request.has_after() &&
              (!message->after.has_value() || IsAfter(request.after(), *message->after))) {
            message->after = request.after();
            message->sent += request.sent();
            message->passed_over += request.passed_over();
          }
          message->lease_end = loop_->clock().Boottime() + absl::Milliseconds(request.lease_ms());
          internal::v1::AdvanceResponse response;
          const bool asked = message->recall_asked && !message->recalling;
          response.set_recall(asked);
          if (request.done() || request.release()) {
            message->gateway.clear();
            if (asked) {
              BeginRecall(*message, request.done() ? TheEnd() : message->after);
            } else {
              message->ended = request.done();
            }
          }
          return response;
        });
  }

  void Append(internal::v1::AppendRequest request,
              Done<internal::v1::AppendResponse> done) override {
    Travel<internal::v1::AppendResponse>(
        std::move(done), [this, request]() -> absl::StatusOr<internal::v1::AppendResponse> {
          ++appends;
          Registration& registration =
              registrations[{request.device_id(), request.registration_id()}];
          if (!registration.alive) {
            return MakeError(absl::StatusCode::kNotFound, "UNREGISTERED", "dead");
          }
          internal::v1::AppendResponse response;
          const std::string& id = request.message().message_id();
          if (!request.message_id_is_new() && registration.accepted.count(id) > 0) {
            response.set_duplicate(true);
            return response;
          }
          if (registration.full) {
            return MakeError(absl::StatusCode::kResourceExhausted, "MAILBOX_FULL", "full");
          }
          ++registration.accepted[id];
          ++registration.of_topic_message[request.message().topic_message_id()];
          registration.mailbox.push_back(request.message());
          return response;
        });
  }

  void Recall(internal::v1::RecallRequest request,
              Done<internal::v1::RecallResponse> done) override {
    Travel<internal::v1::RecallResponse>(
        std::move(done), [this, request]() -> absl::StatusOr<internal::v1::RecallResponse> {
          Registration& registration =
              registrations[{request.device_id(), request.registration_id()}];
          if (registration.accepted.count(request.message_id()) == 0) {
            return MakeError(absl::StatusCode::kNotFound, "MESSAGE_NOT_FOUND", "none");
          }
          registration.recalled.insert(request.message_id());
          return internal::v1::RecallResponse();
        });
  }

  // Not used by fan-outs.
  void ListSubscriptions(internal::v1::ListSubscriptionsRequest,
                         Done<internal::v1::ListSubscriptionsResponse> done) override {
    std::move(done)(absl::UnimplementedError("not modelled"));
  }
  void ListTopics(internal::v1::ListTopicsRequest,
                  Done<internal::v1::ListTopicsResponse> done) override {
    std::move(done)(absl::UnimplementedError("not modelled"));
  }
  void PutTopic(internal::v1::PutTopicRequest, Done<internal::v1::KeptTopic> done) override {
    std::move(done)(absl::UnimplementedError("not modelled"));
  }
  void Publish(internal::v1::PublishTopicRequest,
               Done<internal::v1::PublishTopicResponse> done) override {
    std::move(done)(absl::UnimplementedError("not modelled"));
  }
  void GetTopicMessage(internal::v1::GetTopicMessageRequest,
                       Done<push::v1::TopicMessage> done) override {
    std::move(done)(absl::UnimplementedError("not modelled"));
  }
  void RecallTopicMessage(internal::v1::GetTopicMessageRequest,
                          Done<push::v1::TopicMessage> done) override {
    std::move(done)(absl::UnimplementedError("not modelled"));
  }
  void EndWaits(internal::v1::EndWaitsRequest, Done<internal::v1::EndWaitsResponse> done) override {
    std::move(done)(absl::UnimplementedError("not modelled"));
  }
  void GetMessage(internal::v1::GetMessageRequest,
                  Done<internal::v1::GetMessageResponse> done) override {
    std::move(done)(absl::UnimplementedError("not modelled"));
  }

 private:
  static bool IsAfter(const internal::v1::Subscriber& a, const internal::v1::Subscriber& b) {
    return Name(a.device_id(), a.registration_id()) > Name(b.device_id(), b.registration_id());
  }
  static absl::Status Unavailable() {
    return MakeError(absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE", "away");
  }

  // After every subscriber there can be.
  static internal::v1::Subscriber TheEnd() {
    internal::v1::Subscriber end;
    end.set_device_id(std::string(16, '\xff'));
    return end;
  }
  // Nobody sends any more; `up_to`: how far the fan-out came at most.
  void BeginRecall(TopicMessage& message, std::optional<internal::v1::Subscriber> up_to) {
    message.recalling = true;
    message.ended = !up_to.has_value();
    message.up_to = std::move(up_to);
    message.after.reset();
    message.gateway.clear();
  }

  void TryClaim(const internal::v1::ClaimRequest& request,
                const std::shared_ptr<Done<internal::v1::ClaimResponse>>& done, MonotonicTime end) {
    const MonotonicTime now = loop_->clock().Boottime();
    for (TopicMessage& message : messages) {
      if (message.ended || (!message.gateway.empty() && now < message.lease_end)) continue;
      if (message.recall_asked && !message.recalling) BeginRecall(message, TheEnd());
      internal::v1::ClaimResponse response;
      *response.mutable_message() = message.request;
      if (message.after.has_value()) *response.mutable_after() = *message.after;
      response.set_recall(message.recalling);
      response.set_repeats(!message.gateway.empty());
      if (message.up_to.has_value()) *response.mutable_up_to() = *message.up_to;
      message.gateway = request.gateway();
      message.lease_end = now + absl::Milliseconds(request.lease_ms());
      ++message.claims;
      return After(Way(), [done, response = std::move(response)]() mutable {
        std::move (*done)(std::move(response));
      });
    }
    if (loop_->clock().Monotonic() >= end) {
      return std::move(*done)(internal::v1::ClaimResponse());
    }
    After(absl::Milliseconds(100), [this, request, done, end] { TryClaim(request, done, end); });
  }

  absl::Duration Way() {
    return absl::Microseconds(std::uniform_int_distribution<int64_t>(
        0, absl::ToInt64Microseconds(faults.longest_way))(random_));
  }
  bool Happens(int of_thousand) {
    return std::uniform_int_distribution<int>(0, 999)(random_) < of_thousand;
  }

  // `serve` when the request has arrived; its answer, when that has.
  template <typename Response>
  void Travel(Done<Response> done, std::function<absl::StatusOr<Response>()> serve) {
    auto kept = std::make_shared<Done<Response>>(std::move(done));
    if (away || Happens(faults.lost_requests)) {
      return After(Way(), [kept] { std::move (*kept)(Unavailable()); });
    }
    if (Happens(faults.late_requests)) {
      // Its caller is told long before.
      After(Way(), [kept] { std::move (*kept)(Unavailable()); });
      const absl::Duration late =
          absl::Milliseconds(std::uniform_int_distribution<int64_t>(1, 40'000)(random_));
      return After(late, [serve = std::move(serve)] { (void)serve(); });
    }
    const bool answer_is_lost = Happens(faults.lost_answers);
    After(Way(), [this, kept, serve = std::move(serve), answer_is_lost] {
      absl::StatusOr<Response> response = serve();
      if (answer_is_lost) response = Unavailable();
      After(Way(), [kept, response = std::move(response)]() mutable {
        std::move (*kept)(std::move(response));
      });
    });
  }

  void After(absl::Duration delay, absl::AnyInvocable<void()> what) {
    const uint64_t number = next_timer_++;
    std::unique_ptr<net::Timer>& timer = timers_[number];
    timer = loop_->NewTimer([this, what = std::move(what), number]() mutable {
      what();
      // Not inside its own callback.
      loop_->Post([this, number] { timers_.erase(number); });
    });
    timer->Arm(delay);
  }

  net::EventLoop* const loop_;
  std::mt19937_64 random_;
  // What is on its way.
  uint64_t next_timer_ = 0;
  std::map<uint64_t, std::unique_ptr<net::Timer>> timers_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_TOPICS_TESTING_TOPIC_REGISTRY_MODEL_H_
