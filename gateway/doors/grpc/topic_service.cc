#include "gateway/doors/grpc/topic_service.h"

#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "bellwire/push/v1/topics.pb.h"
#include "gateway/call/call_trace.h"
#include "gateway/call/unary_handle.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {
namespace {

// 1,000 tokens of 160 characters and a topic. A parser makes 32 bytes of memory or more of a token
// of two bytes.
constexpr size_t kMaxChangeBytes = 256 * 1024;
// A payload and a condition, or a name.
constexpr size_t kMaxRequestBytes = 32 * 1024;

template <typename Request, typename Response>
using Call = std::shared_ptr<UnaryHandle<Request, Response>>;

template <typename Request, typename Response>
Done<Response> AnswerOf(Call<Request, Response> call) {
  return [call = std::move(call)](absl::StatusOr<Response> answer) {
    call->Finish(std::move(answer));
  };
}

}  // namespace

template <typename Request, typename Response, typename Serve>
void TopicService::Add(MethodTable* methods, absl::string_view name, Access access,
                       size_t max_request_bytes, Serve serve) {
  AddProviderMethod<Request, Response>(
      methods, authenticator_, absl::StrCat("/bellwire.push.v1.TopicService/", name), access,
      [engine = engine_, serve](Call<Request, Response> call, const std::string& team_id,
                                Request request) {
        if constexpr (std::is_same_v<Request, push::v1::PublishRequest>) {
          TakeCallTrace(call->metadata(), request.mutable_message());
        }
        serve(engine, team_id, std::move(request), AnswerOf(std::move(call)));
      },
      {.max_request_bytes = max_request_bytes});
}

void TopicService::AddTo(MethodTable* methods) {
  using push::v1::ListSubscriptionsRequest;
  using push::v1::ListSubscriptionsResponse;
  using push::v1::ListTopicsRequest;
  using push::v1::ListTopicsResponse;
  using push::v1::TopicMessage;
  Add<push::v1::SubscribeRequest, push::v1::SubscribeResponse>(
      methods, "Subscribe", Access::kFull, kMaxChangeBytes,
      [](TopicEngine* engine, const std::string& team_id, push::v1::SubscribeRequest request,
         Done<push::v1::SubscribeResponse> done) {
        engine->Subscribe(team_id, std::move(request), std::move(done));
      });
  Add<push::v1::UnsubscribeRequest, push::v1::UnsubscribeResponse>(
      methods, "Unsubscribe", Access::kFull, kMaxChangeBytes,
      [](TopicEngine* engine, const std::string& team_id, push::v1::UnsubscribeRequest request,
         Done<push::v1::UnsubscribeResponse> done) {
        engine->Unsubscribe(team_id, std::move(request), std::move(done));
      });
  Add<ListSubscriptionsRequest, ListSubscriptionsResponse>(
      methods, "ListSubscriptions", Access::kFull, kMaxRequestBytes,
      [](TopicEngine* engine, const std::string& team_id, const ListSubscriptionsRequest& request,
         Done<ListSubscriptionsResponse> done) {
        engine->ListSubscriptions(team_id, request, std::move(done));
      });
  Add<ListTopicsRequest, ListTopicsResponse>(
      methods, "ListTopics", Access::kSendOnly, kMaxRequestBytes,
      [](TopicEngine* engine, const std::string& team_id, const ListTopicsRequest& request,
         Done<ListTopicsResponse> done) { engine->ListTopics(team_id, request, std::move(done)); });
  Add<push::v1::PublishRequest, push::v1::PublishResponse>(
      methods, "Publish", Access::kSendOnly, kMaxRequestBytes,
      [](TopicEngine* engine, const std::string& team_id, push::v1::PublishRequest request,
         Done<push::v1::PublishResponse> done) {
        engine->Publish(team_id, std::move(request), {}, std::move(done));
      });
  Add<push::v1::GetTopicMessageRequest, TopicMessage>(
      methods, "GetTopicMessage", Access::kSendOnly, kMaxRequestBytes,
      [](TopicEngine* engine, const std::string& team_id,
         const push::v1::GetTopicMessageRequest& request,
         Done<TopicMessage> done) { engine->GetTopicMessage(team_id, request, std::move(done)); });
  Add<push::v1::RecallTopicMessageRequest, TopicMessage>(
      methods, "RecallTopicMessage", Access::kFull, kMaxRequestBytes,
      [](TopicEngine* engine, const std::string& team_id,
         const push::v1::RecallTopicMessageRequest& request, Done<TopicMessage> done) {
        engine->RecallTopicMessage(team_id, request, std::move(done));
      });
}

}  // namespace bellwire::gateway
