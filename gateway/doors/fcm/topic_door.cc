#include "gateway/doors/fcm/topic_door.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "bellwire/push/v1/topics.pb.h"
#include "common/error.h"
#include "gateway/doors/fcm/fcm_error.h"
#include "gateway/doors/fcm/fcm_path.h"
#include "gateway/doors/fcm/subscription.h"
#include "gateway/doors/json/json_text.h"
#include "google/protobuf/util/time_util.h"

namespace bellwire::gateway::fcm {
namespace {

using Resource = FcmPath::Resource;
using google::protobuf::util::TimeUtil;

// Of topicSubscriptions: a TopicSubscription, none of whose fields is the caller's to say.
constexpr size_t kMaxSubscriptionBodyBytes = 4 * 1024;

bool IsBatch(Resource resource) {
  return resource == Resource::kBatchAdd || resource == Resource::kBatchRemove;
}

std::vector<absl::string_view> AllowedFor(Resource resource) {
  if (resource == Resource::kSubscription) return {"GET", "PATCH", "DELETE"};
  if (resource == Resource::kSubscriptions) return {"GET", "POST"};
  return {"POST"};
}

// Each service has errors of its own form.
http::Reply ErrorReply(Resource resource, const absl::Status& error) {
  return IsBatch(resource) ? InstanceIdErrorReply(error) : FcmErrorReply(error);
}

http::Reply JsonReply(const nlohmann::ordered_json& json) {
  return fcm::JsonReply(200, DumpJson(json) + "\n");
}

absl::Status NotSubscribed() {
  return MakeError(absl::StatusCode::kNotFound, "NOT_SUBSCRIBED",
                   "The registration token is not subscribed to the topic.");
}

bool IsTemporary(const push::v1::SendError& error) {
  return error.code() == static_cast<int>(absl::StatusCode::kUnavailable) ||
         (error.code() == static_cast<int>(absl::StatusCode::kResourceExhausted) &&
          error.reason() != "LIMIT_REACHED");
}

absl::Status ToStatus(const push::v1::SendError& error) {
  return MakeError(static_cast<absl::StatusCode>(error.code()), error.reason(), error.message());
}

template <typename Response>
http::Reply BatchReply(const absl::StatusOr<Response>& response) {
  if (!response.ok()) return InstanceIdErrorReply(response.status());
  const auto& results = response->results();
  // Then clients repeat the call by themselves, which changes nothing twice.
  if (!results.empty() && std::all_of(results.begin(), results.end(), [](const auto& result) {
        return result.has_error() && IsTemporary(result.error());
      })) {
    return InstanceIdErrorReply(ToStatus(results[0].error()));
  }
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const push::v1::TopicResult& result : results) {
    nlohmann::ordered_json entry = nlohmann::ordered_json::object();
    if (result.has_error()) entry["error"] = InstanceIdErrorOf(ToStatus(result.error()));
    list.push_back(std::move(entry));
  }
  return JsonReply({{"results", std::move(list)}});
}

}  // namespace

struct TopicDoor::Call {
  Call(http::Request r, http::Responder answer)
      : request(std::move(r)),
        responder(std::move(answer)),
        path(*ParseFcmPath(request.head.path)) {}

  const http::Request request;
  http::Responder responder;
  FcmPath path;
  SubscriptionQuery query;
  std::string team_id;

  // Once.
  void Fail(const absl::Status& error) { responder.Send(ErrorReply(path.resource, error)); }
};

bool TopicDoor::Matches(const http::RequestHead& head) const {
  // Most requests for a project are messages; those cost no allocation here.
  if (!absl::StartsWith(head.path, "/iid/") && !absl::StrContains(head.path, "/registrations/")) {
    return false;
  }
  const std::optional<FcmPath> path = ParseFcmPath(head.path);
  return path.has_value() && path->resource != Resource::kMessages;
}

size_t TopicDoor::MaxBodyBytes(const http::RequestHead& head) const {
  return IsBatch(ParseFcmPath(head.path)->resource) ? kMaxBatchBodyBytes
                                                    : kMaxSubscriptionBodyBytes;
}

std::optional<http::Reply> TopicDoor::Refuse(const http::RequestHead& head) const {
  const Resource resource = ParseFcmPath(head.path)->resource;
  const std::vector<absl::string_view> methods = AllowedFor(resource);
  if (std::find(methods.begin(), methods.end(), head.method) != methods.end()) return std::nullopt;
  const std::string allowed = absl::StrJoin(methods, ", ");
  http::Reply reply =
      ErrorReply(resource, MakeError(absl::StatusCode::kUnimplemented, "METHOD_NOT_ALLOWED",
                                     absl::StrCat("This path takes ", allowed, ".")));
  reply.headers.push_back({"allow", allowed});
  return reply;
}

void TopicDoor::Serve(http::Request request, http::Responder responder) {
  auto call = std::make_unique<Call>(std::move(request), std::move(responder));
  const http::HeaderList& headers = call->request.head.headers;
  const std::string project = call->path.project;
  credentials_->Authenticate(
      headers, project,
      [this, call = std::move(call)](absl::StatusOr<ProviderIdentity> identity) mutable {
        if (!identity.ok()) return call->Fail(identity.status());
        const std::string& method = call->request.head.method;
        if (method != "GET") {
          if (absl::Status full = RequireFullAccess(*identity); !full.ok()) return call->Fail(full);
        }
        call->team_id = std::move(identity->team_id);
        if (IsBatch(call->path.resource)) return ChangeBatch(std::move(call));
        absl::StatusOr<SubscriptionQuery> query = ReadSubscriptionQuery(call->request.head.path);
        if (!query.ok()) return call->Fail(query.status());
        call->query = *std::move(query);
        if (method == "POST") {
          call->path.topic = call->query.topic_name;
          return Subscribe(std::move(call), /*may_exist=*/false);
        }
        if (method == "PATCH" && call->query.allow_missing) {
          return Subscribe(std::move(call), /*may_exist=*/true);
        }
        if (method == "DELETE") return Unsubscribe(std::move(call));
        // PATCH without allow_missing has nothing to change.
        Read(std::move(call));
      });
}

void TopicDoor::ChangeBatch(std::unique_ptr<Call> call) {
  absl::StatusOr<TopicBatch> batch = ReadTopicBatch(call->request.body);
  if (!batch.ok()) return call->Fail(batch.status());
  const std::string team_id = call->team_id;
  const auto fill = [&batch](auto request) {
    request.set_topic(std::move(batch->topic));
    for (std::string& token : batch->tokens) request.add_tokens(std::move(token));
    return request;
  };
  if (call->path.resource == Resource::kBatchAdd) {
    topics_->Subscribe(team_id, fill(push::v1::SubscribeRequest()),
                       [call = std::move(call)](absl::StatusOr<push::v1::SubscribeResponse> done) {
                         call->responder.Send(BatchReply(done));
                       });
    return;
  }
  topics_->Unsubscribe(
      team_id, fill(push::v1::UnsubscribeRequest()),
      [call = std::move(call)](absl::StatusOr<push::v1::UnsubscribeResponse> done) {
        call->responder.Send(BatchReply(done));
      });
}

void TopicDoor::Subscribe(std::unique_ptr<Call> call, bool may_exist) {
  const std::string team_id = call->team_id;
  const FcmPath path = call->path;
  topics_->ChangeOne(
      team_id, path.topic, path.token, /*subscribed=*/true,
      [call = std::move(call), may_exist](absl::StatusOr<TopicEngine::Changed> changed) {
        if (!changed.ok()) return call->Fail(changed.status());
        if (changed->unchanged && !may_exist) {
          return call->Fail(MakeError(absl::StatusCode::kAlreadyExists, "SUBSCRIBED_ALREADY",
                                      "The registration token is subscribed to the topic."));
        }
        push::v1::TopicSubscription subscription;
        subscription.set_topic(call->path.topic);
        *subscription.mutable_create_time() =
            TimeUtil::MillisecondsToTimestamp(changed->created_at_ms);
        call->responder.Send(JsonReply(ToSubscriptionJson(call->path, subscription)));
      });
}

void TopicDoor::Unsubscribe(std::unique_ptr<Call> call) {
  const std::string team_id = call->team_id;
  const FcmPath path = call->path;
  topics_->ChangeOne(team_id, path.topic, path.token, /*subscribed=*/false,
                     [call = std::move(call)](absl::StatusOr<TopicEngine::Changed> changed) {
                       if (!changed.ok()) return call->Fail(changed.status());
                       if (changed->unchanged && !call->query.allow_missing) {
                         return call->Fail(NotSubscribed());
                       }
                       call->responder.Send(JsonReply(nlohmann::ordered_json::object()));
                     });
}

void TopicDoor::Read(std::unique_ptr<Call> call) {
  const std::string team_id = call->team_id;
  push::v1::ListSubscriptionsRequest request;
  request.set_token(call->path.token);
  topics_->ListSubscriptions(
      team_id, request,
      [call = std::move(call)](absl::StatusOr<push::v1::ListSubscriptionsResponse> all) {
        if (!all.ok()) return call->Fail(all.status());
        if (call->path.resource == Resource::kSubscriptions) {
          return call->responder.Send(
              JsonReply(ToSubscriptionsJson(call->path, call->query, *all)));
        }
        for (const push::v1::TopicSubscription& subscription : all->subscriptions()) {
          if (subscription.topic() != call->path.topic) continue;
          return call->responder.Send(JsonReply(ToSubscriptionJson(call->path, subscription)));
        }
        call->Fail(NotSubscribed());
      });
}

http::Reply TopicDoor::Error(const http::RequestHead& head, int, const absl::Status& why) const {
  return ErrorReply(ParseFcmPath(head.path)->resource, why);
}

}  // namespace bellwire::gateway::fcm
