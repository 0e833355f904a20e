// The registry as its callers see it: over its port, with its thread, on disk.

#include "registry/server/server.h"

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"
#include "registry/testing/fake_connectors.h"
#include "registry/testing/fault_file_system.h"
#include "rocksdb/env.h"

namespace bellwire::registry {
namespace {

using internal::v1::AppendRequest;
using internal::v1::AppendResponse;
using internal::v1::BindRequest;
using internal::v1::BindResponse;

class RegistryServerTest : public testing::Test {
 protected:
  RegistryServerTest() { Start(); }

  void Start() {
    server_.reset();
    RegistryServer::Options options;
    options.data_dir = directory_.path("store");
    options.sealer = sealer_.get();
    options.clock = RealClock();
    options.env = env_.get();
    auto server = RegistryServer::Start(std::move(options));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    connectors_.emplace(server_->api());
    server_->SetConnectors(&*connectors_);
  }

  // Calls a method and waits for its answer.
  template <typename Api, typename Request, typename Response>
  absl::StatusOr<Response> Call(void (Api::*method)(Request, Done<Response>), Request request) {
    absl::StatusOr<Response> result;
    absl::Notification answered;
    (server_->api()->*method)(std::move(request), [&](absl::StatusOr<Response> response) {
      result = std::move(response);
      answered.Notify();
    });
    answered.WaitForNotification();
    return result;
  }

  // A token of com.example.mail on the device.
  TokenContents Register(uint8_t device) {
    admin::v1::Team team;
    team.set_team_id("team");
    team.set_name("A team");
    EXPECT_TRUE(Call(&RegistryApi::PutTeam, team).ok());
    admin::v1::App app;
    app.set_team_id("team");
    app.set_app_id("com.example.mail");
    EXPECT_TRUE(Call(&RegistryApi::PutApp, app).ok());
    internal::v1::RegisterAppRequest request;
    request.set_device_id(DeviceBytes(device));
    request.set_app_id("com.example.mail");
    const auto response = Call(&RegistryApi::RegisterApp, request);
    EXPECT_TRUE(response.ok()) << response.status();
    const auto token = sealer_->Open(response->token());
    EXPECT_TRUE(token.has_value());
    EXPECT_EQ(token->registration_id, response->registration_id());
    return *token;
  }

  static std::string DeviceBytes(uint8_t n) { return std::string(15, 'd') + static_cast<char>(n); }

  static AppendRequest Append(const TokenContents& token, uint32_t n) {
    AppendRequest request;
    request.set_device_id(std::string(token.device_id.bytes()));
    request.set_registration_id(token.registration_id);
    request.set_team_id("team");
    std::string id(16, '\0');
    id.replace(0, sizeof(n), reinterpret_cast<const char*>(&n), sizeof(n));
    request.mutable_message()->set_message_id(id);
    request.mutable_message()->set_accepted_at_ms(WallNowMs(*RealClock()));
    request.mutable_message()->set_expires_at_ms(WallNowMs(*RealClock()) + 3'600'000);
    return request;
  }

  internal::v1::BindResponse MustBind(const TokenContents& token, uint64_t login) {
    const auto bound = Call(&RegistryApi::Bind, Bind(token, login));
    EXPECT_TRUE(bound.ok()) << bound.status();
    return bound.value_or(BindResponse());
  }

  static internal::v1::Route RouteOf(uint64_t login) {
    internal::v1::Route route;
    route.set_connector_address("connector:7446");
    route.set_connector_incarnation(1);
    route.set_session_id(login);
    route.set_login_number(login);
    return route;
  }

  static BindRequest Bind(const TokenContents& token, uint64_t login) {
    BindRequest request;
    request.set_device_id(std::string(token.device_id.bytes()));
    *request.mutable_route() = RouteOf(login);
    request.set_max_bytes(1 << 20);
    request.set_max_messages(1000);
    return request;
  }

  TempDir directory_;
  const std::shared_ptr<FaultFileSystem> disk_ = std::make_shared<FaultFileSystem>();
  const std::unique_ptr<rocksdb::Env> env_ = rocksdb::NewCompositeEnv(disk_);
  std::unique_ptr<TokenSealer> sealer_ = TokenSealer::ForTesting();
  std::optional<FakeConnectors> connectors_;
  std::unique_ptr<RegistryServer> server_;
};

TEST_F(RegistryServerTest, SaysWhenItsStoreFailsAndWhenItIsBack) {
  const TokenContents token = Register(1);
  absl::Mutex mutex;
  std::vector<bool> told;
  server_->SetOnStoreChange([&](bool ok) {
    absl::MutexLock lock(&mutex);
    told.push_back(ok);
  });
  const auto wait_for = [&](size_t changes) {
    absl::MutexLock lock(&mutex);
    const auto enough = [&] { return told.size() >= changes; };
    mutex.Await(absl::Condition(&enough));
    return told;
  };
  EXPECT_TRUE(server_->StoreStatus().ok());

  disk_->set_fault(FaultFileSystem::Fault::kNoSpace);
  EXPECT_FALSE(Call(&RegistryApi::Append, Append(token, 1)).ok());
  EXPECT_EQ(wait_for(1), std::vector<bool>{false});
  EXPECT_TRUE(absl::IsUnavailable(server_->StoreStatus()));
  // The writer itself is well: a restart would not help.
  EXPECT_TRUE(server_->Responds(absl::Seconds(60)));

  // Nobody calls it: it finds out by itself that there is room.
  disk_->set_fault(FaultFileSystem::Fault::kNone);
  EXPECT_EQ(wait_for(2), (std::vector<bool>{false, true}));
  EXPECT_TRUE(server_->StoreStatus().ok());
  EXPECT_TRUE(Call(&RegistryApi::Append, Append(token, 2)).ok());
  server_->SetOnStoreChange(nullptr);
}

TEST_F(RegistryServerTest, ReportsWhatItHasCounted) {
  const TokenContents token = Register(1);
  ASSERT_TRUE(Call(&RegistryApi::Append, Append(token, 1)).ok());
  ASSERT_TRUE(Call(&RegistryApi::Append, Append(token, 2)).ok());
  // A retry is no further message.
  ASSERT_TRUE(Call(&RegistryApi::Append, Append(token, 2)).ok());
  metrics::Samples samples;
  server_->Report(&samples);
  std::map<std::string, prometheus::MetricFamily> families;
  for (prometheus::MetricFamily& family : samples.Take()) {
    const std::string name = family.name;
    families.emplace(name, std::move(family));
  }
  for (const auto& metric : families.at("bellwire_registry_steps_total").metric) {
    const std::string& step = metric.label.at(0).value;
    EXPECT_EQ(metric.counter.value, step == "accepted" || step == "stored" ? 2 : 0) << step;
  }
  const auto& mailbox = families.at("bellwire_registry_mailbox_messages").metric.at(0).histogram;
  EXPECT_EQ(mailbox.sample_count, 3u);
  EXPECT_EQ(mailbox.sample_sum, 1 + 2 + 2);
  EXPECT_GE(families.at("bellwire_registry_commits_total").metric.at(0).counter.value, 2);
  EXPECT_EQ(families.at("bellwire_registry_commits_total").metric.at(1).counter.value, 0);
  EXPECT_EQ(families.at("bellwire_registry_store_ok").metric.at(0).gauge.value, 1);
  EXPECT_EQ(families.at("bellwire_queue_length").metric.size(), 4u);
}

TEST_F(RegistryServerTest, NumbersOfAStartAreGreaterThanAllBefore) {
  const TokenContents token = Register(1);
  uint64_t last = 0;
  for (int start = 0; start < 3; ++start) {
    const uint64_t began = static_cast<uint64_t>(WallNowMs(*RealClock())) * 1000;
    Start();
    const auto appended = Call(&RegistryApi::Append, Append(token, static_cast<uint32_t>(start)));
    ASSERT_TRUE(appended.ok()) << appended.status();
    EXPECT_GT(appended->seq(), last);
    EXPECT_GE(appended->seq(), began);
    last = appended->seq();
  }
}

TEST_F(RegistryServerTest, TheTagTellsOtherRegistrationsAndAnotherKeyApart) {
  const TokenContents token = Register(1);
  internal::v1::RegisterAppRequest request;
  request.set_device_id(std::string(token.device_id.bytes()));
  request.set_app_id("com.example.mail");
  const uint64_t tag = Call(&RegistryApi::RegisterApp, request)->registrations_tag();
  EXPECT_EQ(MustBind(token, 1).registrations_tag(), tag);
  internal::v1::ResumeRequest resume;
  resume.set_device_id(request.device_id());
  *resume.mutable_route() = RouteOf(1);
  resume.set_registrations_tag(tag);
  EXPECT_TRUE(Call(&RegistryApi::Resume, resume).ok());
  resume.set_registrations_tag(tag + 1);
  EXPECT_EQ(ErrorReason(Call(&RegistryApi::Resume, resume).status()), "SESSION_FORGOTTEN");
  internal::v1::RemoveAppRequest remove;
  remove.set_device_id(request.device_id());
  remove.set_app_id("com.example.mail");
  const uint64_t removed = Call(&RegistryApi::RemoveApp, remove)->registrations_tag();
  EXPECT_NE(removed, tag);
  EXPECT_EQ(MustBind(token, 2).registrations_tag(), removed);
  EXPECT_NE(removed, 0u);

  const std::string keys = directory_.path("store") + ".keys";
  ASSERT_TRUE(TokenSealer::CreateKeyFile(keys).ok());
  server_.reset();
  sealer_ = *TokenSealer::FromFile(keys);
  Start();
  EXPECT_NE(MustBind(token, 3).registrations_tag(), removed) << "a lost key kills every token";
}

TEST_F(RegistryServerTest, AMessageLivesThroughARestartAndReachesItsEnd) {
  const TokenContents token = Register(1);
  EXPECT_EQ(token.app_tag, AppTag("com.example.mail"));
  const auto appended = Call(&RegistryApi::Append, Append(token, 1));
  ASSERT_TRUE(appended.ok()) << appended.status();
  EXPECT_GT(appended->seq(), 0);
  Start();
  EXPECT_EQ(Register(1), token);
  const auto bound = Call(&RegistryApi::Bind, Bind(token, 1));
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_EQ(bound->mailbox_id().size(), 16);
  ASSERT_EQ(bound->page().messages_size(), 1);
  EXPECT_GE(bound->page().complete_to_seq(), appended->seq());

  internal::v1::ReportSentRequest sent;
  sent.set_device_id(std::string(token.device_id.bytes()));
  sent.add_items()->set_seq(appended->seq());
  sent.mutable_items(0)->set_sent_at_ms(WallNowMs(*RealClock()));
  EXPECT_TRUE(Call(&RegistryApi::ReportSent, sent).ok());
  internal::v1::AckRequest ack;
  ack.set_device_id(sent.device_id());
  *ack.mutable_route() = RouteOf(1);
  *ack.add_items() = sent.items(0);
  EXPECT_TRUE(Call(&RegistryApi::Ack, ack).ok());
  internal::v1::AppAckRequest app_ack;
  app_ack.set_device_id(sent.device_id());
  app_ack.add_items()->set_message_id(bound->page().messages(0).message_id());
  app_ack.mutable_items(0)->set_registration_id(token.registration_id);
  app_ack.mutable_items(0)->set_step(push::v1::APP_ACKED);
  EXPECT_TRUE(Call(&RegistryApi::AppAck, app_ack).ok());
  internal::v1::PullRequest pull;
  pull.set_device_id(sent.device_id());
  EXPECT_EQ(Call(&RegistryApi::Pull, pull)->page().messages_size(), 0);

  internal::v1::GetMessageRequest get;
  get.set_device_id(sent.device_id());
  get.set_registration_id(token.registration_id);
  get.set_team_id("team");
  get.set_message_id(bound->page().messages(0).message_id());
  const auto message = Call(&RegistryApi::GetMessage, get);
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->message().state(), push::v1::APP_ACKED);
  EXPECT_EQ(message->message().receipts_size(), 5);
  EXPECT_TRUE(message->message().device_connected());

  internal::v1::RecallRequest recall;
  recall.set_device_id(sent.device_id());
  recall.set_registration_id(token.registration_id);
  recall.set_team_id("team");
  recall.set_message_id(get.message_id());
  EXPECT_EQ(Call(&RegistryApi::Recall, recall)->outcome(), push::v1::RecallResponse::TOO_LATE);
  internal::v1::UnbindRequest unbind;
  unbind.set_device_id(sent.device_id());
  *unbind.mutable_route() = RouteOf(1);
  EXPECT_TRUE(Call(&RegistryApi::Unbind, unbind).ok());
  EXPECT_FALSE(Call(&RegistryApi::GetMessage, get)->message().device_connected());
  internal::v1::RemoveAppRequest remove;
  remove.set_device_id(sent.device_id());
  remove.set_app_id("com.example.mail");
  EXPECT_TRUE(Call(&RegistryApi::RemoveApp, remove).ok());
  EXPECT_EQ(ErrorReason(Call(&RegistryApi::Append, Append(token, 2)).status()), "UNREGISTERED");
}

TEST_F(RegistryServerTest, KeysAreServedByTheirId) {
  Register(1);
  admin::v1::Key key;
  key.set_team_id("team");
  key.set_key_id("key");
  key.set_public_key_pem("pem");
  EXPECT_TRUE(Call(&RegistryApi::PutKey, key).ok());
  internal::v1::GetKeyRequest get;
  get.set_key_id("key");
  EXPECT_EQ(Call(&RegistryApi::GetKey, get)->team_id(), "team");
  admin::v1::RevokeKeyRequest revoke;
  revoke.set_key_id("key");
  EXPECT_TRUE(Call(&RegistryApi::RevokeKey, revoke)->has_revoke_time());
  admin::v1::ListKeysRequest list_keys;
  list_keys.set_team_id("team");
  EXPECT_EQ(Call(&RegistryApi::ListKeys, list_keys)->keys_size(), 1);
  admin::v1::ListAppsRequest list_apps;
  list_apps.set_team_id("team");
  EXPECT_EQ(Call(&RegistryApi::ListApps, list_apps)->apps_size(), 1);
  EXPECT_EQ(Call(&RegistryApi::ListTeams, admin::v1::ListTeamsRequest())->teams_size(), 1);
}

TEST_F(RegistryServerTest, ABadRequestIsRefusedAtOnce) {
  AppendRequest request;
  request.set_device_id("short");
  const auto refused = Call(&RegistryApi::Append, request);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorField(refused.status()), "device_id");
}

TEST_F(RegistryServerTest, ASecondServerOnTheDirectoryIsRefused) {
  RegistryServer::Options options;
  options.data_dir = directory_.path("store");
  options.sealer = sealer_.get();
  options.clock = RealClock();
  EXPECT_EQ(ErrorReason(RegistryServer::Start(std::move(options)).status()), "STORE_LOCKED");
}

TEST_F(RegistryServerTest, WhatComesDueIsHandedOnWithoutAnybodyAsking) {
  const TokenContents token = Register(1);
  ASSERT_TRUE(Call(&RegistryApi::Bind, Bind(token, 1)).ok());
  AppendRequest request = Append(token, 1);
  request.mutable_message()->set_deliver_at_ms(request.message().accepted_at_ms() + 200);
  EXPECT_EQ(Call(&RegistryApi::Append, request)->seq(), 0);
  connectors_->WaitForRequests(1);
  const internal::v1::ConnectorRequest due = connectors_->requests()[0];
  EXPECT_EQ(due.route().session_id(), 1);
  EXPECT_GT(due.deliver().message().seq(), 0);
  EXPECT_EQ(due.deliver().message().message_id(), request.message().message_id());
}

// Sees which of two threads' operations the registry put first, and checks that both were told the
// same: either the page holds the message, or it was handed to the new session.
TEST_F(RegistryServerTest, OfAnAppendAndABindOneKnowsOfTheOther) {
  constexpr uint32_t kRounds = 3000;
  const TokenContents token = Register(1);
  int in_page = 0;
  int handed_over = 0;
  std::atomic<uint32_t> round = 0;
  std::atomic<uint32_t> bound = 0;
  absl::StatusOr<BindResponse> page;
  // Runs the binds, one a round, as near to the appends as two threads get.
  std::thread binder([&] {
    for (uint32_t n = 1; n <= kRounds; ++n) {
      while (round.load() != n) std::this_thread::yield();
      page = Call(&RegistryApi::Bind, Bind(token, n));
      bound.store(n);
    }
  });
  for (uint32_t n = 1; n <= kRounds; ++n) {
    round.store(n);
    const absl::StatusOr<AppendResponse> appended = Call(&RegistryApi::Append, Append(token, n));
    while (bound.load() != n) std::this_thread::yield();
    EXPECT_TRUE(appended.ok() && page.ok());
    if (!appended.ok() || !page.ok()) continue;
    const bool message_in_page = page->page().messages_size() == 1;
    bool handed_to_it = false;
    for (const internal::v1::ConnectorRequest& handed : connectors_->TakeRequests()) {
      handed_to_it |= handed.route().login_number() == n;
    }
    EXPECT_NE(message_in_page, handed_to_it) << "round " << n;
    in_page += message_in_page ? 1 : 0;
    handed_over += handed_to_it ? 1 : 0;

    internal::v1::AckRequest ack;
    ack.set_device_id(std::string(token.device_id.bytes()));
    *ack.mutable_route() = RouteOf(n);
    ack.add_items()->set_seq(appended->seq());
    ack.mutable_items(0)->set_sent_at_ms(WallNowMs(*RealClock()));
    ASSERT_TRUE(Call(&RegistryApi::Ack, ack).ok());
  }
  binder.join();
  EXPECT_GT(in_page, 0) << "both orders came up";
  EXPECT_GT(handed_over, 0) << "both orders came up";
}

TEST_F(RegistryServerTest, ASendOfTtlZeroWaitsForTheDevicesWordAndNoLongerThanTheServer) {
  const TokenContents token = Register(1);
  MustBind(token, 1);
  connectors_->SetOutcome(std::nullopt);
  const auto append = [&](uint32_t n) {
    AppendRequest request = Append(token, n);
    request.mutable_message()->set_expires_at_ms(request.message().accepted_at_ms());
    request.set_waiter(7);
    return request;
  };
  push::v1::Step state = push::v1::STEP_UNSPECIFIED;
  absl::Notification acked;
  server_->api()->Append(append(1), [&](absl::StatusOr<AppendResponse> response) {
    state = response.value_or(AppendResponse()).state();
    acked.Notify();
  });
  connectors_->WaitForRequests(1);
  EXPECT_FALSE(acked.HasBeenNotified());
  connectors_->TellSilent(internal::v1::HandedOverRequest::DEVICE_ACKED);
  acked.WaitForNotification();
  EXPECT_EQ(state, push::v1::AGENT_ACKED);

  absl::Notification ended;
  server_->api()->Append(append(2), [&](absl::StatusOr<AppendResponse> response) {
    state = response.value_or(AppendResponse()).state();
    ended.Notify();
  });
  connectors_->WaitForRequests(2);
  server_->EndWaits();
  ended.WaitForNotification();
  EXPECT_EQ(state, push::v1::NOT_CONNECTED);
  EXPECT_EQ(Call(&RegistryApi::Append, append(3))->state(), push::v1::NOT_CONNECTED);
  connectors_->TellSilent(internal::v1::HandedOverRequest::DEVICE_ACKED);  // Too late.
}

TEST_F(RegistryServerTest, ItAnswersWhatIsQueuedBeforeItStops) {
  const TokenContents token = Register(1);
  std::atomic<int> answered = 0;
  for (uint32_t n = 1; n <= 100; ++n) {
    server_->api()->Append(Append(token, n), [&](absl::StatusOr<AppendResponse> response) {
      EXPECT_TRUE(response.ok()) << response.status();
      ++answered;
    });
  }
  server_.reset();
  EXPECT_EQ(answered, 100);
}

TEST_F(RegistryServerTest, AClaimWaitsForATopicMessageWhichIsSentAndCounted) {
  const TokenContents token = Register(1);
  internal::v1::ChangeSubscriptionRequest subscribe;
  subscribe.set_device_id(std::string(token.device_id.bytes()));
  subscribe.set_registration_id(token.registration_id);
  subscribe.set_topic("news");
  subscribe.set_subscribed(true);
  ASSERT_TRUE(Call(&RegistryApi::ChangeSubscription, subscribe).ok());
  internal::v1::ListSubscriptionsRequest list;
  list.set_device_id(subscribe.device_id());
  list.set_registration_id(token.registration_id);
  list.set_team_id("team");
  EXPECT_EQ(Call(&RegistryApi::ListSubscriptions, list)->subscriptions(0).topic(), "news");

  internal::v1::ClaimRequest claim;
  claim.set_gateway(std::string(16, 'g'));
  claim.set_lease_ms(60'000);
  EXPECT_FALSE(Call(&RegistryApi::Claim, claim)->has_message()) << "nothing waits, nor does it";
  claim.set_wait_ms(absl::ToInt64Milliseconds(kMaxClaimWait));
  internal::v1::ClaimResponse claimed;
  absl::Notification woken;
  server_->api()->Claim(claim, [&](absl::StatusOr<internal::v1::ClaimResponse> response) {
    EXPECT_TRUE(response.ok()) << response.status();
    claimed = response.value_or(internal::v1::ClaimResponse());
    woken.Notify();
  });
  internal::v1::PublishTopicRequest publish;
  publish.set_team_id("team");
  publish.set_message_id(std::string(16, 't'));
  publish.set_topic("news");
  publish.add_topics("news");
  internal::v1::Envelope message = Append(token, 1).message();
  message.clear_message_id();
  *publish.mutable_message() = message;
  ASSERT_TRUE(Call(&RegistryApi::Publish, publish).ok());
  woken.WaitForNotification();
  EXPECT_EQ(claimed.message().message_id(), publish.message_id());

  internal::v1::PageSubscribersRequest page;
  page.set_team_id("team");
  page.add_topics("news");
  page.set_max_subscribers(10);
  const auto subscribers = Call(&RegistryApi::PageSubscribers, page);
  ASSERT_EQ(subscribers->subscribers_size(), 1);
  EXPECT_EQ(subscribers->subscribers(0).registration_id(), token.registration_id);
  AppendRequest append = Append(token, 1);
  append.mutable_message()->set_topic_message_id(publish.message_id());
  ASSERT_TRUE(Call(&RegistryApi::Append, append).ok());
  internal::v1::AdvanceRequest advance;
  advance.set_team_id("team");
  advance.set_message_id(publish.message_id());
  advance.set_gateway(claim.gateway());
  *advance.mutable_after() = subscribers->subscribers(0);
  advance.set_sent(1);
  advance.set_done(true);
  EXPECT_FALSE(Call(&RegistryApi::Advance, advance)->recall());

  // Killed and started again, it knows all of it.
  Start();
  internal::v1::GetTopicMessageRequest get;
  get.set_team_id("team");
  get.set_message_id(publish.message_id());
  const auto described = Call(&RegistryApi::GetTopicMessage, get);
  ASSERT_TRUE(described.ok()) << described.status();
  EXPECT_EQ(described->state(), push::v1::TopicMessage::DONE);
  EXPECT_EQ(described->subscribers(), 1);
  EXPECT_EQ(described->sent(), 1);
  ASSERT_EQ(described->steps_size(), 2);
  EXPECT_EQ(described->steps(1).step(), push::v1::STORED);
  EXPECT_EQ(described->steps(1).messages(), 1);
  internal::v1::ListTopicsRequest topics;
  topics.set_team_id("team");
  topics.set_max_topics(10);
  EXPECT_EQ(Call(&RegistryApi::ListTopics, topics)->topics(0).subscribers(), 1);
  EXPECT_EQ(Call(&RegistryApi::RecallTopicMessage, get)->state(),
            push::v1::TopicMessage::RECALLING);
  EXPECT_TRUE(Call(&RegistryApi::Claim, claim)->recall());
}

TEST_F(RegistryServerTest, AClaimThatWaitsIsAnsweredWhenTheServerEnds) {
  Register(1);
  internal::v1::ClaimRequest claim;
  claim.set_gateway(std::string(16, 'g'));
  claim.set_lease_ms(60'000);
  claim.set_wait_ms(absl::ToInt64Milliseconds(kMaxClaimWait));
  absl::Notification answered;
  server_->api()->Claim(claim, [&](absl::StatusOr<internal::v1::ClaimResponse> response) {
    EXPECT_EQ(ErrorReason(response.status()), "REGISTRY_UNAVAILABLE");
    answered.Notify();
  });
  // The Claim has been run, and waits.
  internal::v1::ListTopicsRequest topics;
  topics.set_team_id("team");
  topics.set_max_topics(10);
  ASSERT_TRUE(Call(&RegistryApi::ListTopics, topics).ok());
  server_.reset();
  answered.WaitForNotification();
}

}  // namespace
}  // namespace bellwire::registry
