#include "connector/shard/registry_calls.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "connector/shard/shard_inbox.h"
#include "connector/testing/connection_harness.h"
#include "connector/testing/fake_registry.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using H = ConnectionHarness;

class RegistryCallsTest : public testing::Test {
 protected:
  internal::v1::BindRequest BindOf(uint64_t session_id, uint64_t login_number) {
    internal::v1::BindRequest request;
    request.set_device_id(std::string(h_.device_id.bytes()));
    request.mutable_route()->set_connector_address("here");
    request.mutable_route()->set_session_id(session_id);
    request.mutable_route()->set_login_number(login_number);
    return request;
  }
  // What the shard's thread does when it is woken.
  void TakeAnswers() {
    for (ShardInbox::Entry& entry : inbox_->Take()) {
      std::move(std::get<ShardInbox::Answer>(entry))();
    }
  }

  H h_;
  bool there_ = true;
  FakeRegistry registry_;
  int resumed_ = 0;
  const std::shared_ptr<ShardInbox> inbox_ = std::make_shared<ShardInbox>([] { return true; });
  RegistryCalls calls_{&registry_, &registry_, &registry_, inbox_,
                       [this](uint64_t session_id) {
                         return there_ && session_id == H::kSessionId ? &h_.connection : nullptr;
                       },
                       [this] { ++resumed_; }};
};

TEST_F(RegistryCallsTest, AnswersReachTheConnectionOnItsThreadOnly) {
  h_.BringTo(ConnectionState::kBinding);
  calls_.Bind(BindOf(H::kSessionId, 5));
  // The registry has answered already.
  EXPECT_EQ(h_.connection.state(), ConnectionState::kBinding);
  EXPECT_EQ(calls_.in_flight(), 1u);
  TakeAnswers();
  EXPECT_EQ(h_.connection.state(), ConnectionState::kActive);
  EXPECT_EQ(calls_.in_flight(), 0u);
}

TEST_F(RegistryCallsTest, ABindForAConnectionThatIsGoneIsUndone) {
  there_ = false;
  calls_.Bind(BindOf(H::kSessionId, 5));
  EXPECT_TRUE(registry_.RouteOf(h_.device_id).has_value());
  TakeAnswers();
  EXPECT_FALSE(registry_.RouteOf(h_.device_id).has_value());
}

TEST_F(RegistryCallsTest, OnlyAQuestionAboutANetworkIsAnswered) {
  h_.BringTo(ConnectionState::kActive);
  internal::v1::ReportNetworkRequest request;
  request.set_device_id(std::string(h_.device_id.bytes()));
  request.mutable_network()->set_network_id(std::string(NetworkId::kSize, 'n'));
  for (const uint32_t interval_ms : {279'000u, 0u}) {
    h_.host.frames.clear();
    request.mutable_network()->set_interval_ms(interval_ms);
    calls_.ReportNetwork(H::kSessionId, request);
    TakeAnswers();
    EXPECT_EQ(h_.host.frames.size(), interval_ms == 0 ? 1u : 0u);
  }
  EXPECT_TRUE(h_.host.frames.at(0).has_heartbeat_bounds());
}

TEST_F(RegistryCallsTest, AResumeIsCountedUntilItsAnswerIsThere) {
  h_.BringTo(ConnectionState::kActive);
  h_.connection.OnRegistryLost();
  h_.connection.Resume();
  calls_.Resume(H::kSessionId, h_.host.resumes.at(0));
  EXPECT_EQ(calls_.resuming(), 1u);
  TakeAnswers();
  EXPECT_EQ(calls_.resuming(), 0u);
  EXPECT_EQ(resumed_, 1);
  EXPECT_TRUE(h_.Deliver(H::Message(1)));
  EXPECT_EQ(h_.PushedSeqs(), std::vector<uint64_t>{1});
  // The connection may be gone by then.
  there_ = false;
  calls_.Resume(H::kSessionId, h_.host.resumes.at(0));
  TakeAnswers();
  EXPECT_EQ(resumed_, 2);
}

TEST_F(RegistryCallsTest, AnswersFindTheirConnectionByCall) {
  h_.BringTo(ConnectionState::kActive);
  internal::v1::RegisterAppRequest register_app;
  register_app.set_app_id("com.example.mail");
  h_.ReceiveRegisterApp(3, "com.example.mail");
  calls_.RegisterApp(H::kSessionId, 3, register_app);
  TakeAnswers();
  EXPECT_EQ(h_.host.frames.back().app_registered().request_id(), 3u);
  EXPECT_EQ(h_.host.frames.back().app_registered().app_id(), "com.example.mail");
  // Of another session: dropped.
  const size_t frames = h_.host.frames.size();
  calls_.RegisterApp(H::kSessionId + 256, 4, register_app);
  TakeAnswers();
  EXPECT_EQ(h_.host.frames.size(), frames);
}

TEST_F(RegistryCallsTest, ATopicChangeReachesTheRegistryAndItsAnswerTheDevice) {
  h_.BringTo(ConnectionState::kActive);
  h_.ReceiveTopicChange(7, 99, "news");
  ASSERT_EQ(h_.host.topic_changes.size(), 1u);
  calls_.ChangeTopic(H::kSessionId, 7, h_.host.topic_changes[0].second);
  TakeAnswers();
  EXPECT_EQ(h_.host.frames.back().topic_changed().request_id(), 7u);
  EXPECT_EQ(h_.host.frames.back().topic_changed().outcome(), device::v1::TopicChanged::OK);
  EXPECT_EQ(registry_.TopicsOf(h_.device_id), std::set<std::string>{"registration 99: news"});
}

TEST_F(RegistryCallsTest, AnswersAfterTheEndOfTheShardAreDropped) {
  h_.BringTo(ConnectionState::kBinding);
  inbox_->Close();
  calls_.Bind(BindOf(H::kSessionId, 5));
  TakeAnswers();
  EXPECT_EQ(h_.connection.state(), ConnectionState::kBinding);
}

}  // namespace
}  // namespace bellwire::connector
