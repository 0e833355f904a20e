#include "gateway/doors/json/json_door.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "bellwire/push/v1/push.pb.h"
#include "bellwire/push/v1/topics.pb.h"
#include "common/error.h"
#include "common/limits.h"
#include "gateway/doors/http/idempotency_key.h"
#include "gateway/doors/http/query.h"
#include "gateway/doors/json/event_stream_call.h"
#include "gateway/doors/json/json_call.h"
#include "gateway/doors/json/message_json.h"
#include "gateway/doors/json/rest_error.h"

namespace bellwire::gateway {
namespace {

using google::protobuf::Message;

constexpr absl::string_view kMessages = "/v1/messages";
constexpr absl::string_view kBatch = "/v1/messages:batch";
constexpr absl::string_view kReceipts = "/v1/receipts";
constexpr absl::string_view kTopics = "/v1/topics";
constexpr absl::string_view kPublish = "/v1/topics:publish";
constexpr absl::string_view kSubscribe = "/v1/topics:subscribe";
constexpr absl::string_view kUnsubscribe = "/v1/topics:unsubscribe";
constexpr absl::string_view kSubscriptions = "/v1/subscriptions";
constexpr absl::string_view kTopicMessages = "/v1/topic-messages";

enum class Resource {
  kNone,
  kMessages,
  kBatch,
  kMessage,
  kReceipts,
  kTopics,
  kPublish,
  kSubscribe,
  kUnsubscribe,
  kSubscriptions,
  kTopicMessage,
};

struct Target {
  Resource resource = Resource::kNone;
  // Of kMessage, and the token of kSubscriptions, the id of kTopicMessage; they point into the
  // path.
  absl::string_view token;
  absl::string_view id;
};

Target TargetOf(absl::string_view path) {
  path = http::PathOf(path);
  if (path == kMessages) return {Resource::kMessages};
  if (path == kBatch) return {Resource::kBatch};
  if (path == kReceipts) return {Resource::kReceipts};
  if (path == kTopics) return {Resource::kTopics};
  if (path == kPublish) return {Resource::kPublish};
  if (path == kSubscribe) return {Resource::kSubscribe};
  if (path == kUnsubscribe) return {Resource::kUnsubscribe};
  // Neither tokens nor ids have characters that a client would have to escape.
  const size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos) return {};
  const absl::string_view parent = path.substr(0, slash);
  const absl::string_view last = path.substr(slash + 1);
  if (parent == kSubscriptions) return {Resource::kSubscriptions, last, ""};
  if (parent == kTopicMessages) return {Resource::kTopicMessage, "", last};
  absl::string_view token = parent;
  if (!absl::ConsumePrefix(&token, kMessages) || !absl::ConsumePrefix(&token, "/") ||
      token.find('/') != absl::string_view::npos) {
    return {};
  }
  return {Resource::kMessage, token, last};
}

absl::string_view AllowedFor(Resource resource) {
  switch (resource) {
    case Resource::kMessages:
    case Resource::kBatch:
    case Resource::kPublish:
    case Resource::kSubscribe:
    case Resource::kUnsubscribe:
      return "POST";
    case Resource::kMessage:
    case Resource::kTopicMessage:
      return "GET, DELETE";
    case Resource::kReceipts:
    case Resource::kTopics:
    case Resource::kSubscriptions:
      return "GET";
    case Resource::kNone:
      return "";
  }
  return "";
}

bool IsAllowed(Resource resource, absl::string_view method) {
  const absl::string_view allowed = AllowedFor(resource);
  if (allowed == "GET, DELETE") return method == "GET" || method == "DELETE";
  return method == allowed;
}

absl::Status FillSend(const http::Request& request, Message* message) {
  if (absl::Status status = ParseMessageJson(request.body, 0, message); !status.ok()) return status;
  auto* const send = static_cast<push::v1::SendRequest*>(message);
  // What HTTP clients know of retries by themselves.
  const std::optional<absl::string_view> key = http::IdempotencyKey(request.head.headers);
  if (key.has_value() && send->message_id().empty()) send->set_message_id(std::string(*key));
  return absl::OkStatus();
}

absl::Status FillBatch(const http::Request& request, Message* message) {
  if (absl::Status status = ParseMessageJson(request.body, kMaxBatchMessages, message);
      !status.ok()) {
    return status;
  }
  if (static_cast<const push::v1::SendBatchRequest*>(message)->requests_size() > 0) {
    return absl::OkStatus();
  }
  return WithField(MakeError(absl::StatusCode::kInvalidArgument, "BATCH_EMPTY",
                             "The batch has no message in `requests`."),
                   "requests");
}

template <typename T>
absl::Status FillName(const http::Request& request, Message* message) {
  const Target target = TargetOf(request.head.path);
  auto* const named = static_cast<T*>(message);
  named->set_token(std::string(target.token));
  named->set_message_id(std::string(target.id));
  return absl::OkStatus();
}

absl::Status FillPublish(const http::Request& request, Message* message) {
  if (absl::Status status = ParseMessageJson(request.body, 0, message); !status.ok()) return status;
  auto* const publish = static_cast<push::v1::PublishRequest*>(message);
  const std::string* const key = http::FindHeader(request.head.headers, "idempotency-key");
  if (key != nullptr && publish->message().message_id().empty()) {
    publish->mutable_message()->set_message_id(*key);
  }
  return absl::OkStatus();
}

// A SubscribeRequest or UnsubscribeRequest.
absl::Status FillChange(const http::Request& request, Message* message) {
  return ParseMessageJson(request.body, kMaxBatchMessages, message);
}

absl::Status FillListTopics(const http::Request& request, Message* message) {
  auto* const list = static_cast<push::v1::ListTopicsRequest*>(message);
  const auto parameters = http::ParseQuery(http::QueryOf(request.head.path));
  if (!parameters.has_value()) {
    return MakeError(absl::StatusCode::kInvalidArgument, "BAD_VALUE",
                     "The query has a \"%\" without two hex digits.");
  }
  if (const std::string* token = http::FindParameter(*parameters, "page_token")) {
    list->set_page_token(*token);
  }
  int32_t size = 0;
  const std::string* const text = http::FindParameter(*parameters, "page_size");
  if (text != nullptr && !absl::SimpleAtoi(*text, &size)) {
    return WithField(MakeError(absl::StatusCode::kInvalidArgument, "BAD_VALUE",
                               "The page size is not a number."),
                     "page_size");
  }
  list->set_page_size(size);
  return absl::OkStatus();
}

absl::Status FillToken(const http::Request& request, Message* message) {
  static_cast<push::v1::ListSubscriptionsRequest*>(message)->set_token(
      std::string(TargetOf(request.head.path).token));
  return absl::OkStatus();
}

template <typename T>
absl::Status FillTopicMessage(const http::Request& request, Message* message) {
  static_cast<T*>(message)->set_message_id(std::string(TargetOf(request.head.path).id));
  return absl::OkStatus();
}

// Where a stream of receipts begins. Browsers repeat the id of the last event by themselves.
std::string CursorOf(const http::RequestHead& head) {
  if (const std::string* last = http::FindHeader(head.headers, "last-event-id")) return *last;
  const auto parameters = http::ParseQuery(http::QueryOf(head.path));
  const std::string* const cursor =
      parameters.has_value() ? http::FindParameter(*parameters, "cursor") : nullptr;
  return cursor == nullptr ? "" : *cursor;
}

}  // namespace

bool JsonDoor::Matches(const http::RequestHead& head) const {
  if (TargetOf(head.path).resource != Resource::kNone) return true;
  const absl::string_view path = http::PathOf(head.path);
  return absl::StartsWith(path, absl::StrCat(kMessages, "/"));
}

size_t JsonDoor::MaxBodyBytes(const http::RequestHead& head) const {
  switch (TargetOf(head.path).resource) {
    case Resource::kMessages:
      return kMaxJsonSendBytes;
    case Resource::kPublish:
      return kMaxJsonPublishBytes;
    case Resource::kSubscribe:
    case Resource::kUnsubscribe:
      return kMaxJsonChangeBytes;
    case Resource::kBatch:
      return kMaxProviderRequestBytes;
    default:
      return 0;
  }
}

std::optional<http::Reply> JsonDoor::Refuse(const http::RequestHead& head) const {
  const Resource resource = TargetOf(head.path).resource;
  if (resource == Resource::kNone) {
    return ErrorReply(MakeError(absl::StatusCode::kNotFound, "NO_SUCH_RESOURCE",
                                "A message is at /v1/messages/TOKEN/MESSAGE_ID."));
  }
  if (!IsAllowed(resource, head.method)) {
    http::Reply reply =
        ErrorReply(MakeError(absl::StatusCode::kUnimplemented, "METHOD_NOT_ALLOWED",
                             absl::StrCat("This resource takes ", AllowedFor(resource), " only.")),
                   405);
    reply.headers.push_back({"allow", std::string(AllowedFor(resource))});
    return reply;
  }
  // Before a body of megabytes comes. Shorter ones are read, since curl shows no answer before
  // that.
  if (resource == Resource::kBatch && http::FindHeader(head.headers, "authorization") == nullptr) {
    return ErrorReply(MakeError(absl::StatusCode::kUnauthenticated, "MISSING_CREDENTIAL",
                                "The request has no `authorization: Bearer CREDENTIAL`."));
  }
  return std::nullopt;
}

void JsonDoor::Serve(http::Request request, http::Responder responder) {
  const auto start_of = [&](absl::string_view service, absl::string_view method, FillRequest fill) {
    methods_->Find(absl::StrCat("/bellwire.push.v1.", service, "/", method))
        ->start(
            std::make_shared<JsonCall>(std::move(request), std::move(fill), std::move(responder)));
  };
  const auto start = [&](absl::string_view method, FillRequest fill) {
    start_of("PushService", method, std::move(fill));
  };
  const auto start_topic = [&](absl::string_view method, FillRequest fill) {
    start_of("TopicService", method, std::move(fill));
  };
  switch (TargetOf(request.head.path).resource) {
    case Resource::kMessages:
      return start("Send", FillSend);
    case Resource::kBatch:
      return start("SendBatch", FillBatch);
    case Resource::kMessage:
      if (request.head.method == "GET") {
        return start("GetMessage", FillName<push::v1::GetMessageRequest>);
      }
      return start("Recall", FillName<push::v1::RecallRequest>);
    case Resource::kTopics:
      return start_topic("ListTopics", FillListTopics);
    case Resource::kPublish:
      return start_topic("Publish", FillPublish);
    case Resource::kSubscribe:
      return start_topic("Subscribe", FillChange);
    case Resource::kUnsubscribe:
      return start_topic("Unsubscribe", FillChange);
    case Resource::kSubscriptions:
      return start_topic("ListSubscriptions", FillToken);
    case Resource::kTopicMessage:
      if (request.head.method == "GET") {
        return start_topic("GetTopicMessage", FillTopicMessage<push::v1::GetTopicMessageRequest>);
      }
      return start_topic("RecallTopicMessage",
                         FillTopicMessage<push::v1::RecallTopicMessageRequest>);
    case Resource::kReceipts: {
      FillRequest fill = [](const http::Request& request, Message* message) {
        static_cast<push::v1::WatchReceiptsRequest*>(message)->set_cursor(CursorOf(request.head));
        return absl::OkStatus();
      };
      return methods_->Find("/bellwire.push.v1.PushService/WatchReceipts")
          ->start(std::make_shared<EventStreamCall>(std::move(request), std::move(fill),
                                                    std::move(responder)));
    }
    case Resource::kNone:
      return;  // Refuse has answered.
  }
}

http::Reply JsonDoor::Error(const http::RequestHead&, int status, const absl::Status& why) const {
  return ErrorReply(why, status);
}

}  // namespace bellwire::gateway
