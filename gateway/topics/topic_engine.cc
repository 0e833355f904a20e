#include "gateway/topics/topic_engine.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "gateway/send/registry_error.h"
#include "gateway/send/send_result.h"
#include "gateway/send/validator.h"
#include "gateway/topics/condition.h"
#include "gateway/topics/topic_name.h"

namespace bellwire::gateway {
namespace {

using internal::v1::ChangeSubscriptionRequest;
using internal::v1::ChangeSubscriptionResponse;

// Topics of one page.
constexpr int32_t kMaxPageSize = 1000;

constexpr absl::string_view kCalls = "your team's calls that wait for the registry";

google::protobuf::Timestamp FromMillis(int64_t ms) {
  google::protobuf::Timestamp time;
  time.set_seconds(ms / 1000);
  time.set_nanos(static_cast<int32_t>(ms % 1000) * 1'000'000);
  return time;
}

ChangeSubscriptionRequest ChangeRequest(absl::string_view team_id, absl::string_view topic,
                                        const TokenContents& token, bool subscribed) {
  ChangeSubscriptionRequest change;
  change.set_device_id(std::string(token.device_id.bytes()));
  change.set_registration_id(token.registration_id);
  change.set_team_id(std::string(team_id));
  change.set_topic(std::string(topic));
  change.set_subscribed(subscribed);
  return change;
}

push::v1::ListSubscriptionsResponse RenderSubscriptions(
    internal::v1::ListSubscriptionsResponse listed) {
  push::v1::ListSubscriptionsResponse response;
  for (internal::v1::ListSubscriptionsResponse::Subscription& from :
       *listed.mutable_subscriptions()) {
    push::v1::TopicSubscription* const to = response.add_subscriptions();
    to->set_topic(std::move(*from.mutable_topic()));
    *to->mutable_create_time() = FromMillis(from.created_at_ms());
  }
  return response;
}

push::v1::ListTopicsResponse RenderTopics(internal::v1::ListTopicsResponse listed) {
  push::v1::ListTopicsResponse response;
  // Opaque to callers: the last name.
  if (listed.more() && listed.topics_size() > 0) {
    response.set_next_page_token(listed.topics(listed.topics_size() - 1).name());
  }
  *response.mutable_topics() = std::move(*listed.mutable_topics());
  return response;
}

absl::StatusOr<Condition> TargetOf(const push::v1::PublishRequest& request) {
  switch (request.target_case()) {
    case push::v1::PublishRequest::kTopic:
      if (absl::Status status = CheckTopicName(request.topic()); !status.ok()) return status;
      return Condition::OfTopic(request.topic());
    case push::v1::PublishRequest::kCondition:
      return Condition::Parse(request.condition());
    case push::v1::PublishRequest::TARGET_NOT_SET:
      break;
  }
  return InvalidField("BAD_TOPIC", "topic", "The message has neither a topic nor a condition.");
}

absl::Status InMessage(const absl::Status& status) {
  return WithField(status, absl::StrCat("message.", ErrorField(status).value_or("")));
}

}  // namespace

// A change of many tokens, kTokensAtATime at a time. Results are written by several threads, each
// its own element; `mutex` orders them before the answer.
template <typename Request, typename Response>
struct TopicEngine::Changes : std::enable_shared_from_this<Changes<Request, Response>> {
  // Asks about the next tokens, as many as may be. Called at the beginning and after each answer.
  void Go() {
    bool mine = false;
    while (true) {
      int i = 0;
      std::optional<TeamPlaces::Ticket> place;
      {
        absl::MutexLock lock(&mutex);
        // Whoever is at it looks again before it stops. So answers that come at once don't nest.
        if (!mine && going) return;
        going = mine = true;
        place = NextPlace();
        if (!place.has_value()) {
          going = false;
          if (answered || next < request.tokens_size() || under_way > 0) return;
          answered = true;
          break;
        }
        i = next++;
        ++under_way;
      }
      Ask(i, *std::move(place));
    }
    large.reset();
    std::move(done)(std::move(response));
  }

  // For the next token. nullopt: there is none, or it has to wait for those under way.
  std::optional<TeamPlaces::Ticket> NextPlace() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    while (next < request.tokens_size() && under_way < kTokensAtATime) {
      std::optional<TeamPlaces::Ticket> place = options->calls->TryTake(team_id);
      if (place.has_value() || under_way > 0) return place;
      // The team's other calls hold all that it may have.
      Fail(next++, Overloaded(kCalls));
    }
    return std::nullopt;
  }

  void Ask(int i, TeamPlaces::Ticket place) {
    const absl::StatusOr<TokenContents> token = OpenToken(request.tokens(i), *options->sealer);
    if (!token.ok()) {
      Fail(i, token.status());
      absl::MutexLock lock(&mutex);
      --under_way;
      return;
    }
    options->topics->ChangeSubscription(
        ChangeRequest(team_id, request.topic(), *token, subscribed),
        [self = this->shared_from_this(), i, place = std::make_optional(std::move(place)),
         began = options->clock->Monotonic()](
            absl::StatusOr<ChangeSubscriptionResponse> changed) mutable {
          if (changed.ok()) {
            place->OnServed(began, self->options->clock->Monotonic());
          } else {
            self->Fail(i, FromRegistryError(changed.status()));
          }
          place.reset();
          {
            absl::MutexLock lock(&self->mutex);
            --self->under_way;
          }
          self->Go();
        });
  }

  void Fail(int i, const absl::Status& why) {
    *response.mutable_results(i)->mutable_error() = ToSendError(why);
  }

  const Options* options = nullptr;
  std::string team_id;
  bool subscribed = false;
  Request request;
  Response response;
  Done<Response> done;
  std::optional<TeamPlaces::Ticket> large;

  absl::Mutex mutex;
  int next ABSL_GUARDED_BY(mutex) = 0;
  int under_way ABSL_GUARDED_BY(mutex) = 0;
  bool going ABSL_GUARDED_BY(mutex) = false;
  bool answered ABSL_GUARDED_BY(mutex) = false;
};

template <typename Request, typename Response>
void TopicEngine::ChangeAll(absl::string_view team_id, Request request, bool subscribed,
                            Done<Response> done) {
  if (absl::Status status = CheckTopicName(request.topic()); !status.ok()) {
    return std::move(done)(std::move(status));
  }
  if (request.tokens().empty()) {
    return std::move(done)(InvalidField("BATCH_EMPTY", "tokens", "The request has no tokens."));
  }
  if (static_cast<size_t>(request.tokens_size()) > kMaxBatchMessages) {
    return std::move(done)(
        InvalidField("BATCH_TOO_LARGE", "tokens",
                     absl::StrCat("The request has ", request.tokens_size(), " tokens; at most ",
                                  kMaxBatchMessages, " are allowed. Nothing was done.")));
  }
  auto changes = std::make_shared<Changes<Request, Response>>();
  if (request.tokens_size() > kTokensAtATime) {
    changes->large = large_changes_.TryTake(team_id);
    if (!changes->large.has_value()) {
      return std::move(done)(Overloaded("your team's changes of many subscriptions"));
    }
  }
  changes->options = &options_;
  changes->team_id = std::string(team_id);
  changes->subscribed = subscribed;
  for (int i = 0; i < request.tokens_size(); ++i) changes->response.add_results();
  changes->request = std::move(request);
  changes->done = std::move(done);
  changes->Go();
}

template <typename Answer>
std::optional<Done<Answer>> TopicEngine::WithPlace(absl::string_view team_id, Done<Answer>* done) {
  std::optional<TeamPlaces::Ticket> place = options_.calls->TryTake(team_id);
  if (!place.has_value()) {
    std::move (*done)(Overloaded(kCalls));
    return std::nullopt;
  }
  return [place = std::move(place), clock = options_.clock, began = options_.clock->Monotonic(),
          done = std::move(*done)](absl::StatusOr<Answer> answer) mutable {
    if (answer.ok()) place->OnServed(began, clock->Monotonic());
    // Before the caller hears the answer, who may count on the place.
    place.reset();
    if (!answer.ok()) answer = FromRegistryError(answer.status());
    std::move(done)(std::move(answer));
  };
}

template <typename Response, typename Answer>
Done<Answer> TopicEngine::Rendered(Done<Response> done, Response (*render)(Answer)) {
  return [done = std::move(done), render](absl::StatusOr<Answer> answer) mutable {
    if (!answer.ok()) return std::move(done)(std::move(answer).status());
    std::move(done)(render(*std::move(answer)));
  };
}

void TopicEngine::Subscribe(absl::string_view team_id, push::v1::SubscribeRequest request,
                            Done<push::v1::SubscribeResponse> done) {
  ChangeAll(team_id, std::move(request), /*subscribed=*/true, std::move(done));
}

void TopicEngine::Unsubscribe(absl::string_view team_id, push::v1::UnsubscribeRequest request,
                              Done<push::v1::UnsubscribeResponse> done) {
  ChangeAll(team_id, std::move(request), /*subscribed=*/false, std::move(done));
}

void TopicEngine::ChangeOne(absl::string_view team_id, absl::string_view topic,
                            absl::string_view token, bool subscribed, Done<Changed> done) {
  if (absl::Status status = CheckTopicName(topic); !status.ok()) {
    return std::move(done)(std::move(status));
  }
  const absl::StatusOr<TokenContents> opened = OpenToken(token, *options_.sealer);
  if (!opened.ok()) return std::move(done)(opened.status());
  Done<ChangeSubscriptionResponse> rendered = Rendered<Changed, ChangeSubscriptionResponse>(
      std::move(done), [](ChangeSubscriptionResponse changed) -> Changed {
        return {.unchanged = changed.unchanged(), .created_at_ms = changed.created_at_ms()};
      });
  auto placed = WithPlace(team_id, &rendered);
  if (!placed.has_value()) return;
  options_.topics->ChangeSubscription(ChangeRequest(team_id, topic, *opened, subscribed),
                                      *std::move(placed));
}

void TopicEngine::ListSubscriptions(absl::string_view team_id,
                                    const push::v1::ListSubscriptionsRequest& request,
                                    Done<push::v1::ListSubscriptionsResponse> done) {
  const absl::StatusOr<TokenContents> token = OpenToken(request.token(), *options_.sealer);
  if (!token.ok()) return std::move(done)(token.status());
  auto rendered = Rendered(std::move(done), RenderSubscriptions);
  auto placed = WithPlace(team_id, &rendered);
  if (!placed.has_value()) return;
  internal::v1::ListSubscriptionsRequest list;
  list.set_device_id(std::string(token->device_id.bytes()));
  list.set_registration_id(token->registration_id);
  list.set_team_id(std::string(team_id));
  options_.topics->ListSubscriptions(std::move(list), *std::move(placed));
}

void TopicEngine::ListTopics(absl::string_view team_id, const push::v1::ListTopicsRequest& request,
                             Done<push::v1::ListTopicsResponse> done) {
  if (request.page_size() < 0) {
    return std::move(done)(InvalidField("BAD_PAGE_SIZE", "page_size",
                                        "The page size is negative; 0 means the default."));
  }
  if (!request.page_token().empty() && !CheckTopicName(request.page_token()).ok()) {
    return std::move(done)(InvalidField("BAD_PAGE_TOKEN", "page_token",
                                        "The page token is not one of an earlier response."));
  }
  auto rendered = Rendered(std::move(done), RenderTopics);
  auto placed = WithPlace(team_id, &rendered);
  if (!placed.has_value()) return;
  internal::v1::ListTopicsRequest list;
  list.set_team_id(std::string(team_id));
  list.set_after(request.page_token());
  list.set_max_topics(request.page_size() == 0 ? kMaxPageSize
                                               : std::min(request.page_size(), kMaxPageSize));
  options_.topics->ListTopics(std::move(list), *std::move(placed));
}

void TopicEngine::PutTopic(absl::string_view team_id, internal::v1::PutTopicRequest request,
                           Done<internal::v1::KeptTopic> done) {
  if (absl::Status status = CheckTopicName(request.topic().name()); !status.ok()) {
    return std::move(done)(std::move(status));
  }
  auto placed = WithPlace(team_id, &done);
  if (!placed.has_value()) return;
  request.mutable_topic()->set_team_id(std::string(team_id));
  options_.topics->PutTopic(std::move(request), *std::move(placed));
}

void TopicEngine::ListKeptTopics(absl::string_view team_id, absl::string_view after,
                                 Done<internal::v1::ListTopicsResponse> done) {
  auto placed = WithPlace(team_id, &done);
  if (!placed.has_value()) return;
  internal::v1::ListTopicsRequest list;
  list.set_team_id(std::string(team_id));
  list.set_after(std::string(after));
  list.set_max_topics(kMaxPageSize);
  list.set_kept_only(true);
  options_.topics->ListTopics(std::move(list), *std::move(placed));
}

void TopicEngine::Publish(absl::string_view team_id, push::v1::PublishRequest request,
                          PublishOptions options, Done<push::v1::PublishResponse> done) {
  absl::StatusOr<Condition> target = TargetOf(request);
  if (!target.ok()) return std::move(done)(target.status());
  push::v1::SendRequest& message = *request.mutable_message();
  if (!message.token().empty()) {
    return std::move(done)(
        InvalidField("BAD_DEVICE_TOKEN", "message.token",
                     "A topic message goes to all who are subscribed: leave out the "
                     "token, or Send to it."));
  }
  const absl::StatusOr<ValidatedSend> valid = ValidateSend(message, options_.clock->WallNow());
  if (!valid.ok()) return std::move(done)(InMessage(valid.status()));

  push::v1::PublishResponse response;
  if (message.validate_only()) {
    if (valid->message_id.has_value()) response.set_message_id(FormatUuid(*valid->message_id));
    return std::move(done)(std::move(response));
  }
  const MessageId message_id = valid->message_id.value_or(NewMessageId());
  response.set_message_id(FormatUuid(message_id));
  auto placed = WithPlace(team_id, &done);
  if (!placed.has_value()) return;

  internal::v1::PublishTopicRequest publish;
  publish.set_team_id(std::string(team_id));
  publish.set_message_id(std::string(message_id.bytes()));
  publish.set_topic(request.topic());
  publish.set_condition(request.condition());
  for (const std::string& topic : target->topics()) publish.add_topics(topic);
  publish.set_app_id(std::move(options.app_id));
  internal::v1::Envelope& envelope = *publish.mutable_message();
  envelope.set_payload(std::move(*message.mutable_payload()));
  envelope.set_priority(valid->priority);
  envelope.set_collapse_key(std::move(*message.mutable_collapse_key()));
  envelope.set_accepted_at_ms(valid->accepted_at_ms);
  envelope.set_expires_at_ms(valid->expires_at_ms);
  envelope.set_deliver_at_ms(valid->deliver_at_ms);
  envelope.set_trace_context(valid->trace_context);
  if (options.content.ByteSizeLong() > 0) *envelope.mutable_content() = std::move(options.content);
  options_.topics->Publish(
      std::move(publish),
      [response = std::move(response), done = *std::move(placed)](
          absl::StatusOr<internal::v1::PublishTopicResponse> published) mutable {
        if (!published.ok()) return std::move(done)(std::move(published).status());
        response.set_duplicate(published->duplicate());
        std::move(done)(std::move(response));
      });
}

void TopicEngine::GetTopicMessage(absl::string_view team_id,
                                  const push::v1::GetTopicMessageRequest& request,
                                  Done<push::v1::TopicMessage> done) {
  AskAboutMessage(team_id, request.message_id(), &TopicApi::GetTopicMessage, std::move(done));
}

void TopicEngine::RecallTopicMessage(absl::string_view team_id,
                                     const push::v1::RecallTopicMessageRequest& request,
                                     Done<push::v1::TopicMessage> done) {
  AskAboutMessage(team_id, request.message_id(), &TopicApi::RecallTopicMessage, std::move(done));
}

void TopicEngine::AskAboutMessage(absl::string_view team_id, absl::string_view message_id,
                                  void (TopicApi::*method)(internal::v1::GetTopicMessageRequest,
                                                           Done<push::v1::TopicMessage>),
                                  Done<push::v1::TopicMessage> done) {
  const absl::StatusOr<MessageId> id = ValidateMessageId(message_id);
  if (!id.ok()) return std::move(done)(id.status());
  auto placed = WithPlace(team_id, &done);
  if (!placed.has_value()) return;
  internal::v1::GetTopicMessageRequest ask;
  ask.set_team_id(std::string(team_id));
  ask.set_message_id(std::string(id->bytes()));
  (options_.topics->*method)(std::move(ask), *std::move(placed));
}

}  // namespace bellwire::gateway
