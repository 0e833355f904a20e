#include "device-agent/core/agent_core.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "device-agent/testing/agent_core_fixture.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

using device::v1::AppRegistered;
using Strings = std::vector<std::string>;

constexpr char kMail[] = "com.example.mail";
constexpr char kChat[] = "com.example.chat";

using AgentCoreTest = AgentCoreFixture;

TEST_F(AgentCoreTest, AMessageReachesItsAppAndIsReported) {
  ASSERT_TRUE(server_.ready());
  auto app = App(kMail);
  EXPECT_EQ(app->tokens, Strings{server_.TokenOf(kMail)});
  EXPECT_EQ(app->inbox_id, inbox_->inbox_id());
  server_.Push(1, IdOf(kMail));
  server_.Push(2, IdOf(kMail));
  Run(kSoon);
  EXPECT_EQ(app->got, Messages(1, 2));
  EXPECT_EQ(app->deliveries[0].message_id(), "b1000000-0000-0000-0000-000000000001");
  EXPECT_EQ(server_.unacked(), 0u);
  EXPECT_EQ(server_.app_acks, (Strings{"1:TAKEN", "2:TAKEN"}));
  EXPECT_EQ(inbox_->waiting(), 0u);
}

TEST_F(AgentCoreTest, AllAppsShareOneConnection) {
  auto mail = App(kMail);
  auto chat = App(kChat);
  auto news = App("com.example.news");
  server_.Push(1, IdOf(kMail));
  server_.Push(2, IdOf(kChat));
  server_.Push(3, IdOf("com.example.news"));
  Run(kSoon);
  EXPECT_EQ(mail->got, Messages(1, 1));
  EXPECT_EQ(chat->got, Messages(2, 2));
  EXPECT_EQ(news->got, Messages(3, 3));
  EXPECT_EQ(server_.connections, 1);
}

TEST_F(AgentCoreTest, ADayCostsTheSameForOneAppAndForFifty) {
  std::vector<uint64_t> beats;
  std::vector<uint64_t> bytes;
  for (const int n : {1, 10, 50}) {
    KillAgent();
    StartAgent();
    RunUntilReady();
    std::vector<std::unique_ptr<FakeApp>> apps;
    for (int i = 0; i < n; ++i) apps.push_back(App(absl::StrCat("com.example.app", i)));
    ASSERT_EQ(apps.back()->tokens.size(), 1u);
    const ServerLink::Counters before = core_->link().counters();
    Run(absl::Hours(24));
    beats.push_back(core_->link().counters().heartbeats_sent - before.heartbeats_sent);
    bytes.push_back(core_->link().counters().bytes_sent - before.bytes_sent);
  }
  EXPECT_GE(beats[0], 359u) << "one every 4 minutes";
  EXPECT_EQ(beats, std::vector<uint64_t>(3, beats[0]));
  EXPECT_EQ(bytes, std::vector<uint64_t>(3, beats[0])) << "a byte a beat";
}

TEST_F(AgentCoreTest, AMessageWaitsForItsApp) {
  App(kMail)->Close();
  server_.Push(1, IdOf(kMail));
  Run(kSoon);
  EXPECT_EQ(server_.unacked(), 0u) << "the agent has it: the server need not keep it";
  EXPECT_TRUE(server_.app_acks.empty());
  auto app = App(kMail);
  EXPECT_EQ(app->got, Messages(1, 1));
  EXPECT_FALSE(app->deliveries[0].redelivered());
}

// The simulation found it (seed 101): what had expired when its turn came was shown after what came
// later.
TEST_F(AgentCoreTest, WhatWasPassedOverDoesNotComeWhenTheClockIsSetBack) {
  App(kMail)->Close();
  server_.Push(1, IdOf(kMail));
  Run(absl::Minutes(30));
  server_.Push(2, IdOf(kMail));
  Run(absl::Minutes(45));
  auto app = App(kMail, /*acks=*/false);
  EXPECT_EQ(app->got, Strings{"message 2"});
  app->Close();
  clock_.JumpWall(-absl::Minutes(45));
  auto again = App(kMail);
  EXPECT_EQ(again->got, Strings{"message 2"});
  Run(absl::Minutes(5));
  EXPECT_EQ(server_.app_acks, (Strings{"1:EXPIRED", "2:TAKEN"}));
}

// --- Time: messages expire by the server's. ---

TEST_F(AgentCoreTest, AClockThatIsAheadExpiresNothing) {
  server_.Drop();
  clock_.JumpWall(absl::Minutes(2));
  RunUntilReady();
  App(kMail)->Close();
  device::v1::Push push = TestPush(1, IdOf(kMail), clock_);
  push.set_accepted_at_ms(absl::ToUnixMillis(server_.Now()));
  push.set_expires_at_ms(absl::ToUnixMillis(server_.Now() + absl::Minutes(1)));
  server_.Push(push);
  Run(absl::Seconds(50));
  EXPECT_EQ(server_.app_acks, Strings{});
  EXPECT_EQ(App(kMail)->got, Messages(1, 1));
}

TEST_F(AgentCoreTest, AClockThatJumpsInASessionExpiresNothing) {
  App(kMail)->Close();
  for (const absl::Duration jump : {absl::Hours(5), -absl::Hours(10)}) {
    clock_.JumpWall(jump);
    core_->OnClockChanged();
    const uint64_t seq = jump > absl::ZeroDuration() ? 1 : 2;
    device::v1::Push push = TestPush(seq, IdOf(kMail), clock_);
    push.set_accepted_at_ms(absl::ToUnixMillis(server_.Now()));
    push.set_expires_at_ms(absl::ToUnixMillis(server_.Now() + absl::Minutes(1)));
    server_.Push(push);
    Run(absl::Seconds(20));
    EXPECT_EQ(inbox_->waiting(), seq);
  }
  EXPECT_EQ(server_.app_acks, Strings{});
  auto app = App(kMail);
  EXPECT_EQ(app->got, Messages(1, 2));
}

TEST_F(AgentCoreTest, AClockThatIsBehindShowsNothingLate) {
  App(kMail)->Close();
  clock_.JumpWall(-absl::Hours(5));
  device::v1::Push push = TestPush(1, IdOf(kMail), clock_);
  push.set_accepted_at_ms(absl::ToUnixMillis(server_.Now()));
  push.set_expires_at_ms(absl::ToUnixMillis(server_.Now() + absl::Minutes(1)));
  server_.Push(push);
  Run(absl::Minutes(1) + kSoon);
  EXPECT_EQ(App(kMail)->got, Strings{});
  EXPECT_EQ(server_.app_acks, Strings{"1:EXPIRED"});
}

TEST_F(AgentCoreTest, WhatTheClockIsOffByOutlivesTheAgent) {
  server_.Drop();
  clock_.JumpWall(absl::Minutes(2));
  RunUntilReady();
  App(kMail)->Close();
  device::v1::Push push = TestPush(1, IdOf(kMail), clock_);
  push.set_accepted_at_ms(absl::ToUnixMillis(server_.Now()));
  push.set_expires_at_ms(absl::ToUnixMillis(server_.Now() + absl::Minutes(1)));
  server_.Push(push);
  Run(kSoon);
  network_.StopListening(kServer);
  KillAgent();
  StartAgent();
  Run(kSoon);
  EXPECT_EQ(App(kMail)->got, Messages(1, 1)) << "no server to ask";
}

// It waited for the next heartbeat, minutes later.
TEST_F(AgentCoreTest, AMessageThatExpiresOnThePhoneIsToldAtOnce) {
  App(kMail)->Close();
  device::v1::Push push = TestPush(1, IdOf(kMail), clock_);
  push.set_expires_at_ms(push.accepted_at_ms() + 30'000);
  server_.Push(push);
  Run(absl::Seconds(29));
  EXPECT_EQ(inbox_->waiting(), 1u);
  Run(absl::Seconds(2));
  EXPECT_EQ(inbox_->waiting(), 0u);
  EXPECT_EQ(server_.app_acks, Strings{"1:EXPIRED"});
}

TEST_F(AgentCoreTest, WhatExpiresWhileNobodyUsesThePhoneIsToldWithABeat) {
  App(kMail)->Close();
  who_ = kAgentUid;
  FakeApp phone(&loop_, network_.Connect(kAgent), "");
  Run(kSoon);
  phone.SetActivity(v1::IDLE);
  device::v1::Push push = TestPush(1, IdOf(kMail), clock_);
  push.set_expires_at_ms(push.accepted_at_ms() + 30'000);
  server_.Push(push);
  Run(absl::Minutes(1));
  EXPECT_EQ(inbox_->waiting(), 0u);
  EXPECT_EQ(server_.app_acks, Strings{});
  Run(absl::Minutes(4));
  EXPECT_EQ(server_.app_acks, Strings{"1:EXPIRED"});
}

TEST_F(AgentCoreTest, WhatExpiredInFrontOfAnAppIsToldOnceTheAppLeaves) {
  auto app = App(kMail, /*acks=*/false);
  device::v1::Push push = TestPush(1, IdOf(kMail), clock_);
  push.set_expires_at_ms(push.accepted_at_ms() + 30'000);
  server_.Push(push);
  Run(absl::Minutes(1));
  EXPECT_EQ(server_.app_acks, Strings{}) << "it may be looking at it";
  app->Close();
  Run(kSoon);
  EXPECT_EQ(server_.app_acks, Strings{"1:EXPIRED"});
}

// --- State that was put back. ---

TEST_F(AgentCoreTest, AStateThatWasPutBackWithinOneLoginIsRecognised) {
  auto app = App(kMail);
  server_.Push(1, IdOf(kMail));
  Run(kSoon);
  const std::string inbox_id = inbox_->inbox_id();
  server_.acked_up_to_seq = 1;
  server_.Drop();
  RunUntilReady();
  EXPECT_EQ(inbox_->inbox_id(), inbox_id) << "it has seen that";
  EXPECT_FALSE(app->closed());
  // The device has acknowledged more, of which this state knows nothing.
  server_.acked_up_to_seq = 3;
  server_.Drop();
  RunUntilReady();
  EXPECT_NE(inbox_->inbox_id(), inbox_id);
  EXPECT_TRUE(app->closed()) << "it comes back, and hears of the new id";
  auto again = App(kMail);
  EXPECT_EQ(again->inbox_id, inbox_->inbox_id());
  EXPECT_EQ(again->got, Strings{"gap 1"}) << "what the newer state had is gone";
}

TEST_F(AgentCoreTest, AStateWhoseLoginNumberIsBehindGetsANewInboxId) {
  auto app = App(kMail);
  server_.answers_logins = false;
  server_.Drop();
  ASSERT_TRUE(loop_.RunUntil([this] { return server_.logins.size() == 2; }, absl::Minutes(5)));
  const std::string inbox_id = inbox_->inbox_id();
  device::v1::ConnectorFrame go_away;
  go_away.mutable_go_away()->set_reason(device::v1::GoAway::REPLACED);
  go_away.mutable_go_away()->set_winning_login_number(40);
  server_.Send(go_away);
  server_.answers_logins = true;
  RunUntilReady();
  EXPECT_EQ(server_.logins.back().login_number(), 41u);
  EXPECT_NE(inbox_->inbox_id(), inbox_id);
  EXPECT_TRUE(app->closed());
}

TEST_F(AgentCoreTest, AppsThatComeBackForTheNewIdAreNotStarted) {
  KillAgent();
  started_.emplace();
  StartAgent();
  RunUntilReady();
  auto app = App(kMail, /*acks=*/false);
  server_.Push(1, IdOf(kMail));
  Run(kSoon);
  server_.acked_up_to_seq = 9;
  server_.Drop();
  RunUntilReady();
  EXPECT_TRUE(app->closed());
  EXPECT_EQ(*started_, Strings{});
}

TEST_F(AgentCoreTest, TheLoginTellsTheMailboxAndWhatWasSeenOfIt) {
  EXPECT_EQ(server_.logins.back().seen_up_to_seq(), 0u);
  App(kMail)->Close();
  server_.Push(7, IdOf(kMail));
  Run(kSoon);
  server_.Drop();
  RunUntilReady();
  EXPECT_EQ(server_.logins.back().seen_up_to_seq(), 7u);
  EXPECT_EQ(server_.logins.back().mailbox_id(), server_.mailbox_id.bytes());
}

// --- A server whose store was put back. ---

TEST_F(AgentCoreTest, AnAppWhoseRegistrationTheServerForgotGetsANewTokenByItself) {
  server_.registrations_tag = 1;
  auto mail = App(kMail);
  auto chat = App(kChat);
  const std::string first = server_.TokenOf(kMail);
  ASSERT_EQ(mail->tokens, Strings{first});
  server_.ForgetRegistration(kMail);
  server_.registrations_tag = 2;
  server_.Drop();
  RunUntilReady();
  Run(kSoon);
  EXPECT_EQ(mail->tokens, (Strings{first, server_.TokenOf(kMail)}));
  server_.app_requests.clear();
  server_.Drop();
  RunUntilReady();
  Run(kSoon);
  EXPECT_EQ(server_.app_requests, Strings{}) << "all is as the server has it";
  server_.Push(1, IdOf(kMail));
  Run(kSoon);
  EXPECT_EQ(mail->got, Messages(1, 1));
}

TEST_F(AgentCoreTest, WithoutAServerTheTokenOfARegisteredAppIsThere) {
  App(kMail)->Close();
  server_.Push(1, IdOf(kMail));
  Run(kSoon);
  network_.StopListening(kServer);
  server_.Drop();
  Run(kSoon);
  auto app = App(kMail);
  EXPECT_EQ(app->tokens, Strings{server_.TokenOf(kMail)});
  EXPECT_EQ(app->got, Messages(1, 1));
  auto other = App(kChat);
  Run(kSoon);
  EXPECT_TRUE(other->tokens.empty()) << "this one has to wait";
  network_.Listen(kServer,
                  [this](std::unique_ptr<net::Stream> s) { server_.Accept(std::move(s)); });
  RunUntilReady();
  Run(kSoon);
  EXPECT_EQ(other->tokens, Strings{server_.TokenOf(kChat)});
  EXPECT_EQ(server_.app_acks, Strings{"1:TAKEN"}) << "what happened meanwhile is told";
}

TEST_F(AgentCoreTest, WhatWasNotAcknowledgedComesAgainAndIsDropped) {
  auto app = App(kMail);
  server_.takes_acks = false;
  for (uint64_t seq = 1; seq <= 5; ++seq) server_.Push(seq, IdOf(kMail));
  Run(kSoon);
  server_.takes_acks = true;
  server_.Drop();
  RunUntilReady();
  server_.Push(6, IdOf(kMail));
  Run(kSoon);
  EXPECT_EQ(app->got, Messages(1, 6));
  EXPECT_EQ(server_.unacked(), 0u) << "duplicates are acknowledged all the same";
}

TEST_F(AgentCoreTest, AnAppThatDoesNotAcknowledgeGetsItAgainOnItsNextConnection) {
  auto app = App(kMail, /*acks=*/false);
  for (uint64_t seq = 1; seq <= 3; ++seq) server_.Push(seq, IdOf(kMail));
  Run(kSoon);
  EXPECT_EQ(app->got, Messages(1, 3));
  app->Ack(app->deliveries[1].delivery_id());
  Run(kSoon);
  app->Close();
  Run(kSoon);
  auto again = App(kMail);
  EXPECT_EQ(again->got, (Strings{"message 1", "message 3"}));
  EXPECT_TRUE(again->deliveries[0].redelivered());
  Run(kSoon);
  EXPECT_EQ(server_.app_acks, (Strings{"2:TAKEN", "1:TAKEN", "3:TAKEN"}));
}

TEST_F(AgentCoreTest, AnAppsWindowIsBounded) {
  auto app = App(kMail, /*acks=*/false);
  for (uint64_t seq = 1; seq <= kAppWindowMessages + 10; ++seq) server_.Push(seq, IdOf(kMail));
  Run(kSoon);
  EXPECT_EQ(app->got.size(), kAppWindowMessages);
  EXPECT_EQ(server_.unacked(), 0u);
  app->Ack(app->deliveries[0].delivery_id());
  app->Ack(app->deliveries[1].delivery_id());
  Run(kSoon);
  EXPECT_EQ(app->got, Messages(1, kAppWindowMessages + 2));
}

// kill -9 of the agent at every moment of a stream of messages: nothing is lost, and what is
// delivered again is what the app had not been confirmed.
TEST_F(AgentCoreTest, KilledAgainAndAgainItLosesNothing) {
  auto app = App(kMail);
  Strings got;
  uint64_t seq = 0;
  for (int round = 0; round < 30; ++round) {
    for (int i = 0; i < 4; ++i) server_.Push(++seq, IdOf(kMail));
    Run(absl::Milliseconds(round % 7));
    KillAgent();
    Run(kSoon);
    got.insert(got.end(), app->got.begin(), app->got.end());
    StartAgent();
    app = App(kMail);
    RunUntilReady();
  }
  Run(absl::Minutes(1));
  got.insert(got.end(), app->got.begin(), app->got.end());
  // Dropping what was delivered twice (its delivery was not acknowledged to disk) leaves all, in
  // order.
  Strings once;
  for (const std::string& message : got) {
    if (std::find(once.begin(), once.end(), message) == once.end()) once.push_back(message);
  }
  EXPECT_EQ(once, Messages(1, seq));
  EXPECT_EQ(server_.unacked(), 0u);
  EXPECT_EQ(inbox_->waiting(), 0u);
}

TEST_F(AgentCoreTest, ARestartKeepsTokenAndMailbox) {
  App(kMail)->Close();
  KillAgent();
  StartAgent();
  RunUntilReady();
  auto app = App(kMail);
  EXPECT_EQ(app->tokens, Strings{server_.TokenOf(kMail)});
  EXPECT_EQ(server_.app_requests, Strings{absl::StrCat("register ", kMail)}) << "asked once only";
  ASSERT_EQ(server_.logins.size(), 2u);
  EXPECT_LT(server_.logins[0].login_number(), server_.logins[1].login_number());
  EXPECT_EQ(server_.logins[1].mailbox_id(), server_.mailbox_id.bytes());
}

TEST_F(AgentCoreTest, ANewServerGivesNewTokensByItself) {
  auto app = App(kMail);
  App(kChat)->Close();
  server_.Push(1, IdOf(kMail));
  Run(kSoon);
  server_.Replace();
  RunUntilReady();
  EXPECT_EQ(app->tokens.size(), 2u);
  EXPECT_EQ(app->tokens.back(), server_.TokenOf(kMail));
  // Also for the app that is not running; and sequence numbers begin anew.
  EXPECT_EQ(inbox_->Find(AppKey(kUser, kChat))->token, server_.TokenOf(kChat));
  server_.Push(1, IdOf(kMail));
  Run(kSoon);
  EXPECT_EQ(app->got, (Strings{"message 1", "message 1"}));
}

// --- Who may do what. ---

TEST_F(AgentCoreTest, TheSameAppIdOfAnotherUserIsAnotherApp) {
  App(kMail)->Close();
  server_.Push(1, IdOf(kMail));
  Run(kSoon);
  // Nobody gets what another one has, and nobody keeps anybody out.
  for (const uid_t uid : {kUser + 1, uid_t{0}, kAgentUid}) {
    auto other = App(kMail, true, uid);
    ASSERT_EQ(other->tokens.size(), 1u) << uid;
    EXPECT_NE(other->tokens[0], server_.TokenOf(kMail));
    EXPECT_EQ(other->errors, std::vector<v1::Error::Code>{});
    EXPECT_EQ(other->got, Strings{});
    other->Unregister();
    Run(kSoon);
    EXPECT_EQ(other->unregistered, 1);
  }
  KillAgent();
  StartAgent();
  RunUntilReady();
  auto other = App(kMail, true, kUser + 1);
  EXPECT_EQ(other->got, Strings{}) << "also after a restart";
  server_.Push(2,
               IdOf(other->tokens.at(0).find("@2") != std::string::npos ? absl::StrCat(kMail, "@2")
                                                                        : std::string(kMail)));
  Run(kSoon);
  EXPECT_EQ(other->got, Messages(2, 2));
  auto mail = App(kMail);
  EXPECT_EQ(mail->tokens, Strings{server_.TokenOf(kMail)});
  EXPECT_EQ(mail->got, Messages(1, 1));
}

TEST_F(AgentCoreTest, TheSameAppIdInAnotherSandboxIsAnotherApp) {
  const AppOwner owner(kUser, "flatpak:com.example.mail");
  App(kMail, true, owner);
  server_.Push(1, IdOf(kMail));
  Run(kSoon);
  KillAgent();
  StartAgent();
  RunUntilReady();
  Strings tokens = {server_.TokenOf(kMail)};
  for (const AppOwner& other : {AppOwner(kUser), AppOwner(kUser, "flatpak:com.example.evil"),
                                AppOwner(kUser + 1, "flatpak:com.example.mail")}) {
    auto app = App(kMail, true, other);
    ASSERT_EQ(app->tokens.size(), 1u) << other.sandbox;
    EXPECT_EQ(std::count(tokens.begin(), tokens.end(), app->tokens[0]), 0) << app->tokens[0];
    tokens.push_back(app->tokens[0]);
    EXPECT_EQ(app->got, Strings{});
  }
  EXPECT_EQ(App(kMail, true, owner)->got, Messages(1, 1));
}

TEST_F(AgentCoreTest, AServerThatKnowsOneUserOfAnAppOnlyGivesNobodyAnothersToken) {
  server_.knows_owners = false;
  auto mail = App(kMail);
  auto other = App(kMail, true, kUser + 1);
  EXPECT_EQ(other->errors, std::vector{v1::Error::LIMIT_REACHED});
  EXPECT_EQ(other->tokens, Strings{});
  other->Unregister();
  Run(kSoon);
  server_.Push(1, IdOf(kMail));
  Run(kSoon);
  EXPECT_EQ(mail->got, Messages(1, 1)) << "and nobody ended it";
  EXPECT_EQ(server_.connections, 1);
  EXPECT_EQ(server_.app_requests,
            (Strings{"register com.example.mail", "register com.example.mail"}));
}

TEST_F(AgentCoreTest, AnAppIdThatIsPinnedIsNobodyElses) {
  auto squatter = App(kMail, true, kUser + 1);
  EXPECT_EQ(squatter->tokens.size(), 1u);
  core_->SetPolicy(*AppPolicy::Parse(absl::StrCat(kMail, " uid=", kUser, " sandbox=flatpak:mail")));
  Run(kSoon);
  EXPECT_EQ(squatter->errors, std::vector{v1::Error::PERMISSION_DENIED});
  EXPECT_TRUE(squatter->closed());
  for (const AppOwner& who : {AppOwner(kUser), AppOwner(kUser + 1, "flatpak:mail"), AppOwner(0)}) {
    EXPECT_EQ(App(kMail, true, who)->errors, std::vector{v1::Error::PERMISSION_DENIED});
  }
  auto mail = App(kMail, true, AppOwner(kUser, "flatpak:mail"));
  EXPECT_EQ(mail->tokens.size(), 1u);
  EXPECT_TRUE(App(kChat, true, kUser + 1)->errors.empty()) << "nobody pinned that one";
}

TEST_F(AgentCoreTest, AnAppThatIsNotRunningIsStarted) {
  started_.emplace();
  KillAgent();
  StartAgent();
  RunUntilReady();
  auto mail = App(kMail);
  server_.Push(1, IdOf(kMail));
  Run(kSoon);
  EXPECT_EQ(*started_, Strings{}) << "it runs";
  mail->Close();
  Run(kSoon);
  EXPECT_EQ(*started_, Strings{}) << "nothing waits for it";
  server_.Push(2, IdOf(kMail));
  server_.Push(3, IdOf(kMail));
  Run(kSoon);
  EXPECT_EQ(*started_, Strings{kMail});
  mail = App(kMail);
  EXPECT_EQ(mail->got, Messages(2, 3));
  Run(kSoon);
  mail->Close();
  server_.Push(4, IdOf(kMail));
  Run(kSoon);
  EXPECT_EQ(*started_, (Strings{kMail, kMail})) << "it took what it was started for";
}

TEST_F(AgentCoreTest, AnAppThatDiesOnItsMessagesIsStartedAgainWithABeat) {
  started_.emplace();
  KillAgent();
  StartAgent();
  RunUntilReady();
  auto mail = App(kMail, /*acks=*/false);
  server_.Push(1, IdOf(kMail));
  Run(kSoon);
  mail->Close();
  Run(kSoon);
  EXPECT_EQ(*started_, Strings{kMail}) << "it left something behind";
  Run(absl::Minutes(3));
  EXPECT_EQ(started_->size(), 1u) << "nobody is woken for that";
  Run(absl::Minutes(2));
  EXPECT_EQ(started_->size(), 2u) << "with the beat";
  auto root = App("", true, 0);
  root->AskForStatus();
  Run(kSoon);
  ASSERT_EQ(root->statuses.size(), 1u);
  EXPECT_EQ(root->statuses[0].apps(0).starts(), 2u);
  // And after a restart of the phone.
  started_->clear();
  KillAgent();
  StartAgent();
  Run(kSoon);
  EXPECT_EQ(*started_, Strings{kMail});
}

TEST_F(AgentCoreTest, WhoAsksFirstKeepsNobodyOutBeforeThereIsAToken) {
  server_.Drop();
  network_.StopListening(kServer);
  auto first = App(kMail);
  auto second = App(kMail, true, kUser + 1);
  EXPECT_TRUE(second->errors.empty());
  EXPECT_FALSE(first->closed());
  network_.Listen(
      kServer, [this](std::unique_ptr<net::Stream> stream) { server_.Accept(std::move(stream)); });
  RunUntilReady();
  ASSERT_EQ(first->tokens.size(), 1u);
  ASSERT_EQ(second->tokens.size(), 1u);
  EXPECT_NE(first->tokens, second->tokens);
}

TEST_F(AgentCoreTest, ANewerConnectionOfTheSameAppTakesOver) {
  auto first = App(kMail, /*acks=*/false);
  server_.Push(1, IdOf(kMail));
  Run(kSoon);
  auto second = App(kMail);
  EXPECT_EQ(first->errors, std::vector{v1::Error::SESSION_REPLACED});
  EXPECT_TRUE(first->closed());
  EXPECT_EQ(second->got, Messages(1, 1));
  server_.Push(2, IdOf(kMail));
  Run(kSoon);
  EXPECT_EQ(second->got, Messages(1, 2));
}

// The old connection's acknowledgement and the new one's Register arrive in the same turn of the
// loop.
TEST_F(AgentCoreTest, WhatWasTakenOnTheOldConnectionDoesNotComeOnTheNewOne) {
  auto first = App(kMail, /*acks=*/false);
  server_.Push(1, IdOf(kMail));
  Run(kSoon);
  auto second = std::make_unique<FakeApp>(&loop_, network_.Connect(kAgent), "");
  Run(kSoon);
  v1::AppFrame hello;
  hello.mutable_hello()->set_app_id(kMail);
  first->Ack(first->deliveries[0].delivery_id());
  second->Send(hello);
  second->Register();
  Run(kSoon);
  EXPECT_TRUE(second->got.empty());
  EXPECT_EQ(server_.app_acks, Strings{"1:TAKEN"});
}

TEST_F(AgentCoreTest, StatusShowsEverybodyOnlyToRootAndTheAgentsUser) {
  auto mail = App(kMail);
  auto chat = App(kChat, true, kUser + 1);
  server_.Push(1, IdOf(kMail));
  Run(kSoon);
  auto apps_seen_by = [this](uid_t uid) {
    auto app = App("", true, uid);
    app->AskForStatus();
    Run(absl::Milliseconds(20));
    EXPECT_EQ(app->statuses.size(), 1u);
    return app->statuses.empty() ? -1 : app->statuses[0].apps_size();
  };
  EXPECT_EQ(apps_seen_by(0), 2);
  EXPECT_EQ(apps_seen_by(kAgentUid), 2);
  EXPECT_EQ(apps_seen_by(kUser), 1);
  EXPECT_EQ(apps_seen_by(kUser + 7), 0);
  auto root = App("", true, 0);
  root->AskForStatus();
  Run(absl::Milliseconds(20));
  ASSERT_EQ(root->statuses.size(), 1u);
  EXPECT_EQ(root->statuses[0].device_id(), ToHex(key_->device_id()));

  mail->AskForStatus();
  Run(absl::Milliseconds(20));
  ASSERT_EQ(mail->statuses.size(), 1u);
  const v1::Status& status = mail->statuses[0];
  EXPECT_EQ(status.connection(), v1::Status::CONNECTED);
  EXPECT_EQ(status.server_address(), kServer);
  EXPECT_EQ(status.device_id(), "") << "no app is to know which phone this is";
  EXPECT_EQ(status.heartbeat_interval_ms(), 240'000u);
  EXPECT_GT(status.connected_since_ms(), 0);
  EXPECT_EQ(status.last_error(), "");
  EXPECT_EQ(status.apps(0).app_id(), kMail);
  EXPECT_TRUE(status.apps(0).connected());
}

// --- Activity. ---

TEST_F(AgentCoreTest, ThePowerManagerSaysWhetherThePhoneIsUsed) {
  ASSERT_EQ(server_.logins.size(), 1u);
  EXPECT_EQ(server_.logins[0].activity(), device::v1::ACTIVE) << "nobody said anything";
  // Before Hello, as root and as the agent's user.
  auto manager = App("", true, 0);
  manager->SetActivity(v1::IDLE);
  manager->SetActivity(v1::IDLE);
  Run(absl::Milliseconds(20));
  EXPECT_EQ(manager->activities_set, 2);
  EXPECT_EQ(server_.activities, (std::vector<device::v1::Activity>{device::v1::IDLE}))
      << "what it knows costs no radio";
  manager->AskForStatus();
  Run(absl::Milliseconds(20));
  ASSERT_EQ(manager->statuses.size(), 1u);
  EXPECT_EQ(manager->statuses[0].activity(), v1::IDLE);

  // It goes with the next login.
  server_.Drop();
  Run(kSoon);
  RunUntilReady();
  ASSERT_EQ(server_.logins.size(), 2u);
  EXPECT_EQ(server_.logins[1].activity(), device::v1::IDLE);
  EXPECT_EQ(server_.activities.size(), 1u);

  auto other_manager = App("", true, kAgentUid);
  other_manager->SetActivity(v1::ACTIVITY_UNSPECIFIED);
  Run(absl::Milliseconds(20));
  EXPECT_EQ(server_.activities.size(), 2u);
  EXPECT_EQ(server_.activities.back(), device::v1::ACTIVE);
}

TEST_F(AgentCoreTest, AnAppHasNoSayInWhetherThePhoneIsUsed) {
  auto app = App(kMail);
  app->SetActivity(v1::IDLE);
  Run(absl::Milliseconds(20));
  EXPECT_EQ(app->errors, (std::vector<v1::Error::Code>{v1::Error::PERMISSION_DENIED}));
  EXPECT_TRUE(app->closed());
  EXPECT_TRUE(server_.activities.empty());
}

TEST_F(AgentCoreTest, AnActivitySaidDuringTheLoginIsTold) {
  auto manager = App("", true, 0);
  server_.answers_logins = false;
  server_.Drop();
  ASSERT_TRUE(loop_.RunUntil([this] { return server_.logins.size() == 2; }, absl::Minutes(1)));
  manager->SetActivity(v1::IDLE);
  Run(absl::Milliseconds(20));
  EXPECT_TRUE(server_.activities.empty());
  EXPECT_EQ(server_.logins[1].activity(), device::v1::ACTIVE);
  server_.AnswerLogin();
  Run(absl::Milliseconds(20));
  EXPECT_EQ(server_.activities, (std::vector<device::v1::Activity>{device::v1::IDLE}));
}

// A LOW message waits, and everything after it leaves holes that only its acknowledgement closes.
TEST_F(AgentCoreTest, TooManyHolesMakeThePhoneActive) {
  auto manager = App("", true, 0);
  manager->SetActivity(v1::IDLE);
  Run(absl::Milliseconds(20));
  InboxBatch holes;
  for (uint64_t n = 1; n < kManySeenRanges; ++n) {
    device::v1::Gap gap;
    gap.set_seq(10 + 2 * n);
    gap.set_registration_id(1);
    holes.incoming.emplace_back(gap);
  }
  ASSERT_TRUE(inbox_->Apply(holes).ok());
  ASSERT_EQ(inbox_->seen_ranges(), kManySeenRanges - 1);
  server_.Push(5, 1);
  Run(kSoon);
  EXPECT_EQ(server_.activities,
            (std::vector<device::v1::Activity>{device::v1::IDLE, device::v1::ACTIVE}));
  manager->AskForStatus();
  Run(absl::Milliseconds(20));
  EXPECT_EQ(manager->statuses[0].activity(), v1::IDLE) << "as it was told";
  server_.Drop();
  Run(kSoon);
  RunUntilReady();
  EXPECT_EQ(server_.logins.back().activity(), device::v1::ACTIVE);
}

// --- Registration. ---

TEST_F(AgentCoreTest, AnUnknownAppHearsSoAndMayAskAgain) {
  server_.register_outcome = AppRegistered::UNKNOWN_APP;
  auto app = App(kMail);
  EXPECT_EQ(app->errors, std::vector{v1::Error::UNKNOWN_APP});
  EXPECT_FALSE(app->closed());
  EXPECT_EQ(inbox_->Find(AppKey(kUser, kMail)), nullptr)
      << "nobody owns what the server does not know";
  server_.register_outcome = AppRegistered::OK;
  app->Register();
  Run(kSoon);
  EXPECT_EQ(app->tokens.size(), 1u);
}

TEST_F(AgentCoreTest, AServerThatCannotJustNowIsAskedAgain) {
  server_.register_outcome = AppRegistered::UNAVAILABLE;
  auto app = App(kMail);
  Run(absl::Minutes(2));
  EXPECT_TRUE(app->errors.empty());
  EXPECT_GT(server_.app_requests.size(), 2u);
  EXPECT_LT(server_.app_requests.size(), 30u) << "but not all the time";
  server_.register_outcome = AppRegistered::OK;
  Run(kReconnectMax);
  EXPECT_EQ(app->tokens.size(), 1u);
}

TEST_F(AgentCoreTest, UnregisterKillsTokenAndBacklog) {
  auto app = App(kMail, /*acks=*/false);
  server_.Push(1, IdOf(kMail));
  Run(kSoon);
  app->Unregister();
  Run(kSoon);
  EXPECT_EQ(app->unregistered, 1);
  EXPECT_EQ(server_.app_requests,
            (Strings{absl::StrCat("register ", kMail), absl::StrCat("remove ", kMail)}));
  EXPECT_EQ(server_.app_acks, Strings{"1:UNREGISTERED"});
  EXPECT_EQ(inbox_->waiting(), 0u);
  // Another user may have the id now.
  app->Close();
  Run(kSoon);
  EXPECT_EQ(App(kMail, true, kUser + 1)->tokens.size(), 1u);
}

TEST_F(AgentCoreTest, ARemovalSurvivesRestartsAndGoesBeforeANewRegistration) {
  auto app = App(kMail);
  server_.removes = false;
  app->Unregister();
  Run(kSoon);
  EXPECT_EQ(app->unregistered, 1) << "it is on disk; the server may take its time";
  KillAgent();
  Run(kSoon);
  server_.app_requests.clear();
  StartAgent();
  app = App(kMail);
  RunUntilReady();
  Run(kSoon);
  EXPECT_TRUE(app->tokens.empty());
  server_.removes = true;
  Run(kReconnectMax);
  EXPECT_EQ(app->tokens.size(), 1u);
  ASSERT_GE(server_.app_requests.size(), 2u);
  EXPECT_EQ(server_.app_requests[server_.app_requests.size() - 2], absl::StrCat("remove ", kMail));
  EXPECT_EQ(server_.app_requests.back(), absl::StrCat("register ", kMail));
}

// --- The server's connection. ---

TEST_F(AgentCoreTest, AReportThatALostConnectionSwallowedIsRepeated) {
  auto app = App(kMail);
  server_.Push(1, IdOf(kMail));
  Run(kSoon);
  server_.app_acks.clear();
  server_.Drop();
  RunUntilReady();
  EXPECT_EQ(server_.app_acks, Strings{"1:TAKEN"}) << "no heartbeat has confirmed it";
  Run(absl::Minutes(5));
  EXPECT_GE(server_.heartbeats, 1);
  server_.app_acks.clear();
  server_.Drop();
  RunUntilReady();
  EXPECT_TRUE(server_.app_acks.empty());
}

TEST_F(AgentCoreTest, ManyReportsAskWhetherTheyArrived) {
  auto app = App(kMail);
  constexpr uint64_t kMessages = kMaxUnconfirmedAppAcks + 50;
  for (uint64_t seq = 1; seq <= kMessages; ++seq) {
    server_.Push(seq, IdOf(kMail));
    if (seq % 40 == 0) Run(absl::Milliseconds(20));
  }
  Run(kSoon);
  EXPECT_EQ(server_.app_acks.size(), kMessages);
  EXPECT_EQ(server_.heartbeats, 1);
}

TEST_F(AgentCoreTest, ABlackHoleIsNoticedAndLeft) {
  auto app = App(kMail);
  Run(absl::Minutes(1));
  network_.BlackHole(server_.stream());
  server_.Push(1, IdOf(kMail));
  Run(absl::Minutes(4) + kHeartbeatAckTimeout + kReconnectBase + kSoon);
  EXPECT_EQ(app->got, Messages(1, 1));
  EXPECT_EQ(server_.connections, 2);
}

TEST_F(AgentCoreTest, NonsenseFromTheServerEndsTheSessionAndNothingElse) {
  auto app = App(kMail);
  device::v1::Push bad = TestPush(1, IdOf(kMail), clock_);
  bad.set_message_id("short");
  device::v1::ConnectorFrame frame;
  *frame.mutable_push() = bad;
  server_.Send(frame);
  Run(absl::Milliseconds(20));
  EXPECT_FALSE(server_.ready());
  RunUntilReady();
  server_.Push(2, IdOf(kMail));
  Run(kSoon);
  EXPECT_EQ(app->got, Messages(2, 2));
}

TEST_F(AgentCoreTest, AFullDiskAcknowledgesNothingAndRecovers) {
  auto app = App(kMail);
  Database* db = inbox_->database();
  ASSERT_TRUE(db->LimitPages(db->pages()).ok());
  for (uint64_t seq = 1; seq <= 40; ++seq) {
    device::v1::Push push = TestPush(seq, IdOf(kMail), clock_);
    push.set_payload(std::string(kMaxPayloadBytes, static_cast<char>('a' + seq % 26)));
    server_.Push(push);
  }
  Run(kSoon);
  EXPECT_GT(server_.unacked(), 0u);
  const size_t connections = static_cast<size_t>(server_.connections);
  Run(absl::Minutes(2));
  EXPECT_GT(server_.connections, static_cast<int>(connections)) << "it tries again";
  ASSERT_TRUE(db->LimitPages(1'000'000).ok());
  Run(absl::Minutes(10));
  EXPECT_EQ(app->got.size(), 40u);
  EXPECT_EQ(server_.unacked(), 0u);
}

// --- Apps that misbehave. ---

TEST_F(AgentCoreTest, HostileBytesCloseThatConnectionOnly) {
  auto good = App(kMail);
  std::mt19937_64 random(9);
  for (int round = 0; round < 40; ++round) {
    auto bad = App(round % 2 == 0 ? "" : kChat, false, kUser + 1);
    std::string bytes(1 + random() % 3000, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    // Whatever frame this began, what follows is none.
    bytes.append(kMaxFrameBytes + 8, '\xff');
    bad->SendBytes(bytes);
    Run(absl::Milliseconds(20));
    EXPECT_TRUE(bad->closed());
  }
  server_.Push(1, IdOf(kMail));
  Run(kSoon);
  EXPECT_EQ(good->got, Messages(1, 1));
}

TEST_F(AgentCoreTest, FramesOutOfOrderAreRefused) {
  auto no_hello = App("");
  no_hello->Register();
  Run(kSoon);
  EXPECT_EQ(no_hello->errors, std::vector{v1::Error::PROTOCOL_ERROR});
  EXPECT_TRUE(no_hello->closed());

  auto twice = App(kMail);
  twice->Hello();
  Run(kSoon);
  EXPECT_EQ(twice->errors, std::vector{v1::Error::PROTOCOL_ERROR});

  auto bad_id = App("mail");
  EXPECT_EQ(bad_id->errors, std::vector{v1::Error::BAD_APP_ID});
  EXPECT_TRUE(bad_id->closed());

  auto too_many = App(kMail);
  v1::AppFrame ack;
  for (size_t i = 0; i <= kMaxAppAcksPerFrame; ++i) ack.mutable_ack()->add_delivery_ids(i);
  too_many->Send(ack);
  Run(kSoon);
  EXPECT_EQ(too_many->errors, std::vector{v1::Error::PROTOCOL_ERROR});
}

TEST_F(AgentCoreTest, WhoDoesNotNameItselfIsClosedInTime) {
  auto silent = App("");
  Run(kLoginTimeout - absl::Seconds(1));
  EXPECT_FALSE(silent->closed());
  Run(absl::Seconds(2));
  EXPECT_TRUE(silent->closed());
}

TEST_F(AgentCoreTest, ConnectionsAreBounded) {
  std::vector<std::unique_ptr<FakeApp>> apps;
  for (size_t i = 0; i < kMaxAppConnections; ++i) {
    apps.push_back(std::make_unique<FakeApp>(&loop_, network_.Connect(kAgent), ""));
  }
  Run(absl::Milliseconds(100));
  auto one_more = App("");
  EXPECT_EQ(one_more->errors, std::vector{v1::Error::LIMIT_REACHED});
  EXPECT_TRUE(one_more->closed());
  auto other = App(kChat, true, kUser + 1);
  EXPECT_EQ(other->tokens.size(), 1u) << "one user's connections leave room for another's app";
  Run(kLoginTimeout);
  EXPECT_EQ(App(kMail)->tokens.size(), 1u) << "there is room again";
}

TEST_F(AgentCoreTest, AnAppThatDoesNotReadCostsABoundedAmount) {
  auto app = App(kMail, /*acks=*/false);
  app->stream()->PauseReading();
  std::string requests;
  v1::AppFrame request;
  request.mutable_status_request();
  constexpr size_t kRequests = 5000;
  for (size_t i = 0; i < kRequests; ++i) net::AppendFrame(request.SerializeAsString(), &requests);
  app->SendBytes(requests);
  server_.Push(1, IdOf(kMail));
  Run(kSoon);
  EXPECT_EQ(inbox_->waiting(), 1u);
  // Its requests waited, and none is lost.
  app->stream()->ResumeReading();
  Run(kSoon);
  EXPECT_FALSE(app->closed());
  EXPECT_EQ(app->statuses.size(), kRequests);
  EXPECT_EQ(app->got, Messages(1, 1));
}

TEST_F(AgentCoreTest, StopKeepsWhatWasTaken) {
  auto app = App(kMail, /*acks=*/false);
  server_.Push(1, IdOf(kMail));
  Run(kSoon);
  app->Ack(app->deliveries[0].delivery_id());
  Run(absl::Milliseconds(1));
  core_->Stop();
  Run(kSoon);
  EXPECT_TRUE(app->closed());
  EXPECT_FALSE(server_.ready());
  EXPECT_EQ(inbox_->waiting(), 0u);
}

// Loss, delay, pieces and resets: everything arrives, once, in order.
TEST_F(AgentCoreTest, ABadNetwork) {
  net::SimulatedNetwork::LinkOptions bad;
  bad.latency = absl::Milliseconds(80);
  bad.jitter = absl::Milliseconds(400);
  bad.max_read_bytes = 37;
  bad.reset_probability = 0.01;
  bad.stall_probability = 0.02;
  auto app = App(kMail);
  network_.set_link_options(bad);
  server_.Drop();
  constexpr uint64_t kMessages = 300;
  for (uint64_t seq = 1; seq <= kMessages; ++seq) {
    server_.Push(seq, IdOf(kMail));
    Run(absl::Seconds(2));
  }
  network_.set_link_options({});
  ASSERT_TRUE(loop_.RunUntil([&] { return app->got.size() >= kMessages && server_.unacked() == 0; },
                             absl::Hours(2)))
      << app->got.size();
  EXPECT_EQ(app->got, Messages(1, kMessages));
  EXPECT_GT(server_.connections, 2);
}

}  // namespace
}  // namespace bellwire::agent
