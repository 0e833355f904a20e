#include "device-agent/heartbeat/learned_heartbeat.h"

#include <memory>
#include <string>
#include <vector>

#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

class LearnedHeartbeatTest : public testing::Test {
 protected:
  LearnedHeartbeatTest() { Restart(NetworkTable()); }

  void Restart(NetworkTable known) {
    policy_ = std::make_unique<LearnedHeartbeat>(LearnedHeartbeat::Options{
        .clock = &clock_,
        .known = std::move(known),
        .network =
            [this] {
              return NetworkKey{
                  .kind = kind_, .interface = network_, .name = name_, .gateway = gateway_};
            },
        .save = [this](const std::string& state) { saved_.push_back(state); },
        .share = share_});
    policy_->OnReady();
  }

  void Beat(bool alive = true) {
    const absl::Duration silence = policy_->interval();
    clock_.Advance(silence);
    if (alive) return policy_->OnAlive(silence);
    clock_.Advance(kHeartbeatAckTimeout);
    policy_->OnDead(silence);
  }

  SimulatedClock clock_;
  NetworkKey::Kind kind_ = NetworkKey::Kind::kUnknown;
  std::string network_ = "home";
  std::string name_;
  std::string gateway_ = "00:1a:2b:3c:4d:5e";
  bool share_ = true;
  std::vector<std::string> saved_;
  std::unique_ptr<LearnedHeartbeat> policy_;
};

TEST_F(LearnedHeartbeatTest, ADeadPathInALiveNetworkIsANat) {
  Beat();
  Beat(/*alive=*/false);
  EXPECT_EQ(policy_->interval(), kRungs[1]) << "not known yet whether it was the network";
  clock_.Advance(kAliveWithin);
  policy_->OnReady();
  EXPECT_GT(policy_->interval(), kRungs[0]);
  EXPECT_LT(policy_->interval(), kRungs[1]);
}

TEST_F(LearnedHeartbeatTest, ANetworkThatWasAwayTeachesNothing) {
  Beat();
  Beat(/*alive=*/false);
  clock_.Advance(kAliveWithin + absl::Seconds(1));
  policy_->OnReady();
  EXPECT_EQ(policy_->interval(), kRungs[1]);
}

TEST_F(LearnedHeartbeatTest, APhoneThatSleptBeforeItCameBackTeachesNothing) {
  Beat();
  Beat(/*alive=*/false);
  clock_.Suspend(absl::Hours(8));
  policy_->OnReady();
  EXPECT_EQ(policy_->interval(), kRungs[1]);
}

TEST_F(LearnedHeartbeatTest, APathThatDiedWithItsNetworkTeachesNothing) {
  Beat();
  Beat(/*alive=*/false);
  network_ = "train";
  policy_->OnReady();
  EXPECT_EQ(policy_->interval(), kRungs[0]);
  network_ = "home";
  policy_->OnReady();
  EXPECT_EQ(policy_->interval(), kRungs[1]);
}

TEST_F(LearnedHeartbeatTest, ASlowAnswerIsAnAnswer) {
  for (int i = 0; i < 4; ++i) {
    const absl::Duration silence = policy_->interval();
    clock_.Advance(silence + kHeartbeatAckTimeout - absl::Seconds(1));
    policy_->OnAlive(silence);
  }
  EXPECT_EQ(policy_->interval(), kLongestSilence);
}

TEST_F(LearnedHeartbeatTest, EachNetworkHasItsOwnInterval) {
  for (int i = 0; i < 4; ++i) Beat();
  EXPECT_EQ(policy_->interval(), kLongestSilence);
  network_ = "train";
  policy_->OnReady();
  EXPECT_EQ(policy_->interval(), kRungs[0]);
  network_ = "home";
  policy_->OnReady();
  EXPECT_EQ(policy_->interval(), kLongestSilence);
}

TEST_F(LearnedHeartbeatTest, SavesWhatItLearnedAndThenIsQuiet) {
  for (int i = 0; i < 4; ++i) Beat();
  EXPECT_EQ(saved_.size(), 4u);
  for (int i = 0; i < 100; ++i) Beat();
  EXPECT_EQ(saved_.size(), 4u);
  Restart(*NetworkTable::Parse(saved_.back()));
  EXPECT_EQ(policy_->interval(), kLongestSilence);
}

TEST_F(LearnedHeartbeatTest, PromisesSoMuchThatASearchFitsIntoOneSession) {
  EXPECT_EQ(policy_->promise(), kLongestSilence);
  policy_->SetBounds({absl::Seconds(10), absl::Minutes(10)});
  EXPECT_EQ(policy_->promise(), absl::Minutes(10));
  policy_->SetBounds({absl::Minutes(40), absl::Minutes(60)});
  EXPECT_EQ(policy_->promise(), absl::Minutes(40)) << "the server wants it so";
  EXPECT_EQ(policy_->interval(), absl::Minutes(40));
}

TEST_F(LearnedHeartbeatTest, AHintIsForItsNetworkOnly) {
  policy_->SetBounds({kMinHeartbeatInterval, kMaxHeartbeatInterval, absl::Minutes(20)});
  EXPECT_EQ(policy_->interval(), absl::Minutes(20));
  network_ = "train";
  policy_->OnReady();
  EXPECT_EQ(policy_->interval(), kRungs[0]);
}

TEST_F(LearnedHeartbeatTest, TellsWhatItLearnedOnceAndWithEachLogin) {
  auto report = policy_->OnLogin();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->interval, absl::ZeroDuration()) << "asks only";
  policy_->OnReady();
  for (int i = 0; i < 3; ++i) {
    Beat();
    EXPECT_FALSE(policy_->TakeReport().has_value()) << "still climbing";
  }
  Beat();
  const auto news = policy_->TakeReport();
  ASSERT_TRUE(news.has_value());
  EXPECT_EQ(news->network, report->network);
  EXPECT_EQ(news->interval, kLongestSilence);
  Beat();
  EXPECT_FALSE(policy_->TakeReport().has_value()) << "it was told";
  Restart(*NetworkTable::Parse(saved_.back()));
  report = policy_->OnLogin();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->interval, kLongestSilence);
  policy_->OnReady();
  Beat();
  EXPECT_FALSE(policy_->TakeReport().has_value()) << "the login told it";
}

TEST_F(LearnedHeartbeatTest, SaysWhereItIsAndWhatItKnows) {
  auto status = policy_->network_status();
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->kind, "unknown");
  EXPECT_EQ(status->interface, "home");
  EXPECT_EQ(status->gateway, gateway_);
  EXPECT_EQ(status->learned, absl::ZeroDuration());
  policy_->SetBounds({kMinHeartbeatInterval, kMaxHeartbeatInterval, absl::Minutes(20)});
  Beat();
  status = policy_->network_status();
  EXPECT_EQ(status->learned, absl::Minutes(20));
  EXPECT_EQ(status->hint, absl::Minutes(20));
}

TEST_F(LearnedHeartbeatTest, WhoDoesNotShareTellsNothing) {
  share_ = false;
  Restart(NetworkTable());
  EXPECT_FALSE(policy_->OnLogin().has_value());
  policy_->OnReady();
  for (int i = 0; i < 5; ++i) Beat();
  EXPECT_FALSE(policy_->TakeReport().has_value());
}

TEST_F(LearnedHeartbeatTest, ANetworkThatIsNobodysOwnIsNotTold) {
  gateway_ = "192.168.1.1";
  EXPECT_FALSE(policy_->OnLogin().has_value());
  policy_->OnReady();
  for (int i = 0; i < 5; ++i) Beat();
  EXPECT_FALSE(policy_->TakeReport().has_value());
}

TEST_F(LearnedHeartbeatTest, AHintForTheNetworkBeforeIsNone) {
  ASSERT_TRUE(policy_->OnLogin().has_value());
  network_ = "train";
  policy_->OnReady();
  policy_->SetBounds({kMinHeartbeatInterval, kMaxHeartbeatInterval, absl::Minutes(20)});
  EXPECT_EQ(policy_->interval(), kRungs[0]);
  ASSERT_TRUE(policy_->OnLogin().has_value());
  policy_->OnReady();
  policy_->SetBounds({kMinHeartbeatInterval, kMaxHeartbeatInterval, absl::Minutes(20)});
  EXPECT_EQ(policy_->interval(), absl::Minutes(20));
}

// A carrier's gateway is nobody's own: only its name makes hints possible.
class NamedNetworkTest : public LearnedHeartbeatTest {
 protected:
  NamedNetworkTest() {
    kind_ = NetworkKey::Kind::kCellular;
    network_ = "wwan0";
    gateway_ = "10.0.0.1";
    Restart(NetworkTable());
    EXPECT_FALSE(policy_->OnLogin().has_value());
    policy_->OnReady();
  }
  void Tell(absl::string_view name) {
    name_ = DigestOfName(kind_, name);
    policy_->OnNetworkNamed();
  }
};

TEST_F(NamedNetworkTest, ANameInASessionAsksForAHint) {
  EXPECT_FALSE(policy_->TakeReport().has_value()) << "nobody's network";
  Tell("26201/internet");
  const auto question = policy_->TakeReport();
  ASSERT_TRUE(question.has_value());
  EXPECT_EQ(question->interval, absl::ZeroDuration());
  EXPECT_FALSE(policy_->TakeReport().has_value()) << "once";
  policy_->SetBounds({kMinHeartbeatInterval, kMaxHeartbeatInterval, absl::Minutes(20)});
  EXPECT_EQ(policy_->interval(), absl::Minutes(20));
  EXPECT_TRUE(policy_->network_status()->named);
  // With the next login it is told as ever.
  const auto login = policy_->OnLogin();
  ASSERT_TRUE(login.has_value());
  EXPECT_EQ(login->network, question->network);
}

TEST_F(NamedNetworkTest, WhatIsLearnedBelongsToTheNameWhateverTheGateway) {
  Tell("26201/internet");
  for (int i = 0; i < 4; ++i) Beat();
  ASSERT_EQ(policy_->interval(), kLongestSilence);
  const auto news = policy_->TakeReport();
  ASSERT_TRUE(news.has_value());
  EXPECT_EQ(news->interval, kLongestSilence);
  Tell("26202/internet");
  EXPECT_EQ(policy_->interval(), kRungs[0]) << "another carrier";
  EXPECT_EQ(policy_->TakeReport()->interval, absl::ZeroDuration());
  gateway_ = "10.77.0.1";
  Tell("26201/internet");
  EXPECT_EQ(policy_->interval(), kLongestSilence);
  const auto again = policy_->TakeReport();
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->network, news->network);
  EXPECT_EQ(again->interval, kLongestSilence);
}

TEST_F(NamedNetworkTest, AHintForTheNetworkBeforeItsNameIsNone) {
  policy_->SetBounds({kMinHeartbeatInterval, kMaxHeartbeatInterval, absl::Minutes(20)});
  Tell("26201/internet");
  EXPECT_EQ(policy_->interval(), kRungs[0]);
}

TEST_F(NamedNetworkTest, TheSameNameAgainChangesNothing) {
  Tell("26201/internet");
  policy_->SetBounds({kMinHeartbeatInterval, kMaxHeartbeatInterval, absl::Minutes(20)});
  (void)policy_->TakeReport();
  Tell("26201/internet");
  EXPECT_EQ(policy_->interval(), absl::Minutes(20)) << "the hint stays";
  EXPECT_FALSE(policy_->TakeReport().has_value());
}

TEST_F(NamedNetworkTest, WhoDoesNotShareAsksNothing) {
  share_ = false;
  Restart(NetworkTable());
  Tell("26201/internet");
  EXPECT_FALSE(policy_->TakeReport().has_value());
}

TEST_F(NamedNetworkTest, BeforeTheFirstSessionANameWaits) {
  policy_ = std::make_unique<LearnedHeartbeat>(LearnedHeartbeat::Options{
      .clock = &clock_, .network = [this] {
        return NetworkKey{.kind = kind_, .interface = network_, .name = name_};
      }});
  Tell("26201/internet");
  EXPECT_FALSE(policy_->TakeReport().has_value());
  EXPECT_TRUE(policy_->OnLogin().has_value());
}

TEST_F(LearnedHeartbeatTest, BeatsMayComeEarlyOnlyWhenNothingIsBeingLearned) {
  EXPECT_EQ(policy_->earliest(), policy_->interval());
  for (int i = 0; i < 4; ++i) Beat();
  EXPECT_LT(policy_->earliest(), policy_->interval());
  EXPECT_GT(policy_->earliest(), policy_->interval() * 0.8);
}

}  // namespace
}  // namespace bellwire::agent
