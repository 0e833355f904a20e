// TopicService as a provider meets it: over gRPC and TLS.

#include "gateway/doors/grpc/topic_service.h"

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "bellwire/push/v1/topics.grpc.pb.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/trace_context.h"
#include "gateway/testing/test_gateway.h"
#include "gtest/gtest.h"
#include "rpc/grpc_status.h"

namespace bellwire::gateway {
namespace {

constexpr char kUuid[] = "123e4567-e89b-42d3-a456-426614174000";
constexpr char kTrace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

class TopicServiceTest : public ::testing::Test {
 protected:
  TopicServiceTest() {
    gateway_.registry.change_subscription = [](const internal::v1::ChangeSubscriptionRequest&) {
      return internal::v1::ChangeSubscriptionResponse();
    };
    gateway_.registry.publish = [this](const internal::v1::PublishTopicRequest& request) {
      trace_ = FormatTraceparent(request.message().trace_context());
      return internal::v1::PublishTopicResponse();
    };
    gateway_.registry.list_topics = [](const internal::v1::ListTopicsRequest&) {
      return internal::v1::ListTopicsResponse();
    };
    gateway_.registry.list_subscriptions = [](const internal::v1::ListSubscriptionsRequest&) {
      return internal::v1::ListSubscriptionsResponse();
    };
    gateway_.registry.get_topic_message = [](const internal::v1::GetTopicMessageRequest&) {
      push::v1::TopicMessage message;
      message.set_message_id(kUuid);
      return message;
    };
    gateway_.registry.recall_topic_message = gateway_.registry.get_topic_message;
  }

  // Of the message that was published last.
  std::string trace_;
  TestGateway gateway_;
  const std::unique_ptr<push::v1::TopicService::Stub> stub_ =
      push::v1::TopicService::NewStub(gateway_.NewChannel());
};

TEST_F(TopicServiceTest, EveryMethodIsThere) {
  push::v1::SubscribeRequest subscribe;
  subscribe.set_topic("news");
  subscribe.add_tokens(gateway_.Token());
  push::v1::SubscribeResponse subscribed;
  EXPECT_TRUE(stub_->Subscribe(gateway_.Context().get(), subscribe, &subscribed).ok());
  EXPECT_EQ(subscribed.results_size(), 1);

  push::v1::UnsubscribeRequest unsubscribe;
  unsubscribe.set_topic("news");
  unsubscribe.add_tokens("00");
  push::v1::UnsubscribeResponse unsubscribed;
  EXPECT_TRUE(stub_->Unsubscribe(gateway_.Context().get(), unsubscribe, &unsubscribed).ok());
  EXPECT_EQ(unsubscribed.results(0).error().reason(), "BAD_DEVICE_TOKEN");

  push::v1::ListSubscriptionsRequest subscriptions;
  subscriptions.set_token(gateway_.Token());
  push::v1::ListSubscriptionsResponse of_token;
  EXPECT_TRUE(stub_->ListSubscriptions(gateway_.Context().get(), subscriptions, &of_token).ok());

  push::v1::ListTopicsResponse topics;
  EXPECT_TRUE(stub_->ListTopics(gateway_.Context().get(), {}, &topics).ok());

  push::v1::PublishRequest publish;
  publish.set_topic("news");
  publish.mutable_message()->set_message_id(kUuid);
  push::v1::PublishResponse published;
  const auto context = gateway_.Context();
  context->AddMetadata("traceparent", kTrace);
  EXPECT_TRUE(stub_->Publish(context.get(), publish, &published).ok());
  EXPECT_EQ(published.message_id(), kUuid);
  EXPECT_EQ(trace_, kTrace);

  push::v1::GetTopicMessageRequest get;
  get.set_message_id(kUuid);
  push::v1::TopicMessage message;
  EXPECT_TRUE(stub_->GetTopicMessage(gateway_.Context().get(), get, &message).ok());
  EXPECT_EQ(message.message_id(), kUuid);
  push::v1::RecallTopicMessageRequest recall;
  recall.set_message_id(kUuid);
  EXPECT_TRUE(stub_->RecallTopicMessage(gateway_.Context().get(), recall, &message).ok());
}

TEST_F(TopicServiceTest, ErrorsCarryTheirReasons) {
  push::v1::PublishRequest publish;
  publish.set_condition("!('a' in topics)");
  push::v1::PublishResponse published;
  absl::Status status =
      FromGrpcStatus(stub_->Publish(gateway_.Context().get(), publish, &published));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorReason(status), "BAD_CONDITION");
  EXPECT_EQ(ErrorField(status), "condition");
  grpc::ClientContext anonymous;
  status = FromGrpcStatus(stub_->Publish(&anonymous, publish, &published));
  EXPECT_EQ(ErrorReason(status), "MISSING_CREDENTIAL");
}

TEST_F(TopicServiceTest, ARequestIsAsLargeAsItMayBe) {
  push::v1::SubscribeRequest subscribe;
  for (int i = 0; i < 200'000; ++i) subscribe.add_tokens("");
  push::v1::SubscribeResponse subscribed;
  const grpc::Status status = stub_->Subscribe(gateway_.Context().get(), subscribe, &subscribed);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace bellwire::gateway
