// Topics over real processes, in both deployments: a message for all who are subscribed comes to
// each of them once, whatever is killed meanwhile; it is taken back while it runs; and it says how
// far it is.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "bellwire/push/v1/topics.grpc.pb.h"
#include "common/clock.h"
#include "common/error.h"
#include "crypto/device_key.h"
#include "grpcpp/channel.h"
#include "gtest/gtest.h"
#include "rpc/grpc_status.h"
#include "tests/support/fleet.h"
#include "tests/support/raw_device.h"

namespace bellwire::tests {
namespace {

using push::v1::TopicMessage;
using push::v1::TopicService;
using Strings = std::vector<std::string>;

constexpr int kDevices = 8;
constexpr int kAppsPerDevice = 40;
constexpr int kSubscribers = kDevices * kAppsPerDevice;
// All of them take 8 s: time to kill everything.
constexpr char kRate[] = "40";

class TopicsTest : public testing::TestWithParam<Deployment> {
 protected:
  void SetUp() override {
    const Strings rate = {"--fan_out_rate", kRate};
    Fleet::Options options;
    options.more_gateway_arguments = rate;
    if (GetParam() == Deployment::kEmbedded) options.more_connector_arguments = rate;
    auto fleet = Fleet::Start(GetParam(), options);
    ASSERT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = std::move(*fleet);
    channels_ = {fleet_->Channel(0), fleet_->Channel(1)};
    Strings apps;
    for (int i = 0; i < kAppsPerDevice; ++i) apps.push_back(AppId(i));
    auto provider = Provider::Create(*fleet_, apps);
    ASSERT_TRUE(provider.ok()) << provider.status();
    provider_ = std::make_unique<Provider>(*std::move(provider));
    for (int i = 0; i < kDevices; ++i) {
      devices_.push_back({.key = *DeviceKey::Generate()});
      Login(devices_.back());
      ASSERT_NE(devices_.back().session, nullptr);
      for (const std::string& app : apps) {
        auto token = devices_.back().session->RegisterApp(app);
        ASSERT_TRUE(token.ok()) << token.status();
        devices_.back().tokens.push_back(*token);
      }
    }
  }

  struct Device {
    std::unique_ptr<DeviceKey> key;
    uint64_t logins = 0;
    std::unique_ptr<RawDevice> session;
    Strings tokens;
    // Of each registration: the ids of the messages that came.
    std::map<uint64_t, std::set<std::string>> received;
    std::set<uint64_t> seqs;
  };

  static std::string AppId(int i) { return absl::StrCat("com.example.app", i); }

  void Login(Device& device) {
    device.session.reset();
    auto session = RawDevice::Login(fleet_->device_address(0), fleet_->ca_file(), *device.key,
                                    ++device.logins);
    ASSERT_TRUE(session.ok()) << session.status();
    device.session = *std::move(session);
  }

  // Until the server has seen that the session is gone.
  void AwaitNoSession(const Device& device) {
    push::v1::SendRequest now_or_never;
    now_or_never.set_token(device.tokens[0]);
    now_or_never.set_payload("is anybody there?");
    now_or_never.mutable_ttl();
    ASSERT_TRUE(tests::WaitUntil([&] {
      const auto answer = provider_->Send(now_or_never);
      return answer.ok() && answer->outcome() == push::v1::SendResponse::NOT_CONNECTED;
    }));
  }

  // Takes and acknowledges what comes, until `enough` registrations have something, or for
  // `patience`.
  void Receive(Device& device, size_t enough, absl::Duration patience) {
    while (device.received.size() < enough) {
      auto frame = device.session->Next(patience);
      if (!frame.ok()) return;
      if (!frame->has_push()) continue;
      const device::v1::Push& push = frame->push();
      // What comes again after a reconnect has its number still.
      device.seqs.insert(push.seq());
      device.received[push.registration_id()].insert(push.message_id());
      device::v1::AgentFrame ack;
      device::v1::SeqRange* const range = ack.mutable_ack()->add_ranges();
      range->set_first(push.seq());
      range->set_last(push.seq());
      device.session->Send(ack);
      device::v1::AgentFrame app_ack;
      device::v1::AppAck::Item* const item = app_ack.mutable_app_ack()->add_items();
      item->set_message_id(push.message_id());
      item->set_registration_id(push.registration_id());
      device.session->Send(app_ack);
    }
  }

  // One call through either gateway, until it is answered by somebody.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (TopicService::Stub::*method)(grpc::ClientContext*,
                                                                           const Request&,
                                                                           Response*),
                                const Request& request) {
    absl::Status status;
    Response response;
    int attempt = 0;
    tests::WaitUntil([&] {
      grpc::ClientContext context;
      provider_->Authorize(&context);
      context.set_deadline(absl::ToChronoTime(RealClock()->WallNow() + absl::Seconds(10)));
      TopicService::Stub stub(channels_[attempt++ % 2]);
      status = FromGrpcStatus((stub.*method)(&context, request, &response));
      return !absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status);
    });
    if (!status.ok()) return status;
    return response;
  }

  void SubscribeAll(const std::string& topic) {
    push::v1::SubscribeRequest request;
    request.set_topic(topic);
    for (const Device& device : devices_) {
      for (const std::string& token : device.tokens) request.add_tokens(token);
    }
    const auto response = Call<push::v1::SubscribeRequest, push::v1::SubscribeResponse>(
        &TopicService::Stub::Subscribe, request);
    ASSERT_TRUE(response.ok()) << response.status();
    ASSERT_EQ(response->results_size(), kSubscribers);
    for (const auto& result : response->results()) {
      ASSERT_FALSE(result.has_error()) << result.error().message();
    }
  }
  std::string Publish(push::v1::PublishRequest request) {
    request.mutable_message()->set_payload("It rains");
    request.mutable_message()->set_priority(push::v1::PRIORITY_HIGH);
    const auto response = Call<push::v1::PublishRequest, push::v1::PublishResponse>(
        &TopicService::Stub::Publish, request);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? response->message_id() : "";
  }
  std::string PublishTo(const std::string& topic) {
    push::v1::PublishRequest request;
    request.set_topic(topic);
    return Publish(std::move(request));
  }
  TopicMessage Show(const std::string& id) {
    push::v1::GetTopicMessageRequest request;
    request.set_message_id(id);
    auto message = Call<push::v1::GetTopicMessageRequest, TopicMessage>(
        &TopicService::Stub::GetTopicMessage, request);
    EXPECT_TRUE(message.ok()) << message.status();
    return message.ok() ? *message : TopicMessage();
  }
  // Asks until it holds; false if it doesn't in time.
  bool WaitUntil(const std::string& id, absl::Duration patience,
                 const std::function<bool(const TopicMessage&)>& holds) {
    return tests::WaitUntil([&] { return holds(Show(id)); }, patience);
  }
  bool WaitForEnd(const std::string& id) {
    return WaitUntil(id, absl::Minutes(3), [](const auto& m) { return m.has_end_time(); });
  }
  static int64_t CountOf(const TopicMessage& message, push::v1::Step step) {
    for (const auto& count : message.steps()) {
      if (count.step() == step) return count.messages();
    }
    return 0;
  }

  std::unique_ptr<Fleet> fleet_;
  std::vector<std::shared_ptr<grpc::Channel>> channels_;
  std::unique_ptr<Provider> provider_;
  std::vector<Device> devices_;
};

TEST_P(TopicsTest, EachSubscriberOnceWhateverIsKilled) {
  SubscribeAll("news");
  const std::string id = PublishTo("news");
  std::vector<std::function<Process&()>> parts = {
      [&]() -> Process& { return fleet_->gateway(0); },
      [&]() -> Process& { return fleet_->registry(); },
      [&]() -> Process& { return fleet_->gateway(1); },
      [&]() -> Process& { return fleet_->connector(0); }};
  for (size_t i = 0; i < parts.size(); ++i) {
    // Each in another part of the fan-out.
    const int64_t when = kSubscribers * static_cast<int64_t>(i + 1) / 6;
    ASSERT_TRUE(WaitUntil(id, absl::Minutes(2), [when](const TopicMessage& message) {
      return message.sent() >= when;
    })) << i;
    EXPECT_FALSE(Show(id).has_end_time()) << i;
    parts[i]().Kill();
    ASSERT_TRUE(fleet_->StartAll().ok());
  }
  ASSERT_TRUE(WaitForEnd(id));
  const TopicMessage ended = Show(id);
  EXPECT_EQ(ended.state(), TopicMessage::DONE);
  EXPECT_EQ(ended.subscribers(), kSubscribers);
  EXPECT_EQ(ended.sent(), kSubscribers);
  EXPECT_EQ(ended.passed_over(), 0);

  for (Device& device : devices_) {
    Receive(device, kAppsPerDevice, absl::Seconds(1));
    // What its session lost comes with the next one, and nothing twice.
    Login(device);
    Receive(device, kAppsPerDevice, kPatience);
    Receive(device, kAppsPerDevice + 1, absl::Seconds(1));
    EXPECT_EQ(device.received.size(), static_cast<size_t>(kAppsPerDevice));
    EXPECT_EQ(device.seqs.size(), static_cast<size_t>(kAppsPerDevice));
    for (const auto& [registration, messages] : device.received) EXPECT_EQ(messages.size(), 1u);
  }
  EXPECT_TRUE(WaitUntil(id, kPatience, [](const TopicMessage& message) {
    return CountOf(message, push::v1::APP_ACKED) == kSubscribers;
  })) << Show(id).DebugString();
}

TEST_P(TopicsTest, ARecallWhileItRunsLeavesNothingBehind) {
  SubscribeAll("news");
  // Nobody is there, so that all can be taken back.
  for (Device& device : devices_) {
    device.session.reset();
    AwaitNoSession(device);
  }
  const std::string id = PublishTo("news");
  ASSERT_TRUE(WaitUntil(id, kPatience, [](const auto& message) { return message.sent() >= 60; }));
  push::v1::RecallTopicMessageRequest request;
  request.set_message_id(id);
  const auto recalled = Call<push::v1::RecallTopicMessageRequest, TopicMessage>(
      &TopicService::Stub::RecallTopicMessage, request);
  ASSERT_TRUE(recalled.ok()) << recalled.status();
  EXPECT_EQ(recalled->state(), TopicMessage::RECALLING);
  ASSERT_TRUE(WaitForEnd(id));
  const TopicMessage ended = Show(id);
  EXPECT_EQ(ended.state(), TopicMessage::RECALLED);
  EXPECT_LT(ended.sent(), kSubscribers);
  EXPECT_TRUE(WaitUntil(id, kPatience, [&](const TopicMessage& message) {
    return CountOf(message, push::v1::RECALLED) == ended.sent();
  })) << Show(id).DebugString();

  // One that is sent afterwards comes, and alone.
  push::v1::SendRequest after;
  after.set_token(devices_[0].tokens[0]);
  after.set_payload("afterwards");
  after.set_priority(push::v1::PRIORITY_HIGH);
  ASSERT_TRUE(provider_->Send(after).ok());
  Login(devices_[0]);
  Receive(devices_[0], 1, kPatience);
  Receive(devices_[0], 2, absl::Seconds(1));
  EXPECT_EQ(devices_[0].received.size(), 1u);
  EXPECT_EQ(devices_[0].seqs.size(), 1u);
}

TEST_P(TopicsTest, ConditionsAndSubscriptions) {
  push::v1::SubscribeRequest subscribe;
  const auto to = [&](const std::string& topic, const Strings& tokens) {
    subscribe.set_topic(topic);
    subscribe.clear_tokens();
    for (const std::string& token : tokens) subscribe.add_tokens(token);
    const auto response = Call<push::v1::SubscribeRequest, push::v1::SubscribeResponse>(
        &TopicService::Stub::Subscribe, subscribe);
    ASSERT_TRUE(response.ok()) << response.status();
  };
  const Strings& tokens = devices_[0].tokens;
  to("a", {tokens[0], tokens[1], tokens[2]});
  to("b", {tokens[1], tokens[3]});
  push::v1::ListSubscriptionsRequest list;
  list.set_token(tokens[1]);
  const auto listed = Call<push::v1::ListSubscriptionsRequest, push::v1::ListSubscriptionsResponse>(
      &TopicService::Stub::ListSubscriptions, list);
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_EQ(listed->subscriptions_size(), 2);
  EXPECT_EQ(listed->subscriptions(0).topic(), "a");

  push::v1::UnsubscribeRequest unsubscribe;
  unsubscribe.set_topic("a");
  unsubscribe.add_tokens(tokens[2]);
  ASSERT_TRUE((Call<push::v1::UnsubscribeRequest, push::v1::UnsubscribeResponse>(
                   &TopicService::Stub::Unsubscribe, unsubscribe))
                  .ok());
  push::v1::PublishRequest publish;
  publish.set_condition("'a' in topics && !('b' in topics)");
  const std::string id = Publish(publish);
  ASSERT_TRUE(WaitForEnd(id));
  EXPECT_EQ(Show(id).sent(), 1);
  Receive(devices_[0], 1, kPatience);
  Receive(devices_[0], 2, absl::Seconds(1));
  EXPECT_EQ(devices_[0].received.size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Deployments, TopicsTest,
                         testing::Values(Deployment::kEmbedded, Deployment::kSeparate),
                         [](const auto& info) { return DeploymentName(info.param); });

}  // namespace
}  // namespace bellwire::tests
