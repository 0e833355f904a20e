#include "connector/shard/login_admission.h"

#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

class LoginAdmissionTest : public testing::Test {
 protected:
  using Login = LoginAdmission::Login;

  void Accept(size_t count, char peer = 'a') {
    for (size_t i = 0; i < count; ++i) {
      logins_.push_back(std::make_unique<Login>(&admission_, ++last_id_, Peer(peer), now_));
    }
  }
  static net::PeerKey Peer(char name) { return net::PeerKey::OfProof(std::string(16, name)); }
  bool HasRoom() const { return admission_.HasRoom(/*ready_handshakes=*/0, now_); }
  // So many others log in.
  void GetThrough(int count) {
    for (int i = 0; i < count; ++i) {
      Login login(&admission_, ++last_id_, Peer('z'), now_);
      login.AwaitRegistry(now_);
    }
  }

  LoginAdmission admission_;
  std::vector<std::unique_ptr<Login>> logins_;
  uint64_t last_id_ = 0;
  MonotonicTime now_ = MonotonicTime() + absl::Hours(1);
};

// What is begun gets finished.
TEST_F(LoginAdmissionTest, WhileLoginsGetThroughSoManyAreUnderWayAndNoMore) {
  GetThrough(LoginAdmission::kGettingThrough);
  Accept(kMaxLoginsPerShard - 1);
  EXPECT_TRUE(HasRoom());
  Accept(1);
  EXPECT_FALSE(HasRoom());
  logins_.back()->AwaitLogin(now_);
  EXPECT_TRUE(HasRoom()) << "who is without a Login has no handshake under way";
  logins_.pop_back();
  EXPECT_TRUE(HasRoom());
}

// Nobody finishes: those who are in must not be the ones who keep the others out.
TEST_F(LoginAdmissionTest, WhileNobodyGetsThroughOnlyMemoryBoundsThem) {
  Accept(kMaxUnfinishedLogins - 1);
  EXPECT_TRUE(HasRoom());
  Accept(1);
  EXPECT_FALSE(HasRoom());
  logins_.front()->AwaitLogin(now_);
  EXPECT_FALSE(HasRoom());
  logins_.pop_back();
  EXPECT_TRUE(HasRoom());
}

TEST_F(LoginAdmissionTest, WaitsForHandshakesThatAreReady) {
  EXPECT_TRUE(admission_.HasRoom(kMaxReadyHandshakes - 1, now_));
  EXPECT_FALSE(admission_.HasRoom(kMaxReadyHandshakes, now_));
}

TEST_F(LoginAdmissionTest, WaitsForTheRegistry) {
  Accept(kMaxBindsPerShard);
  for (const auto& login : logins_) {
    EXPECT_TRUE(HasRoom());
    login->AwaitRegistry(now_);
    login->AwaitRegistry(now_);  // Counts once.
  }
  EXPECT_FALSE(HasRoom());
  logins_.pop_back();
  EXPECT_TRUE(HasRoom());
}

TEST_F(LoginAdmissionTest, GivesEverythingBack) {
  Accept(kMaxBindsPerShard + 10);
  for (size_t i = 0; i < kMaxBindsPerShard; ++i) logins_[i]->AwaitRegistry(now_);
  logins_.clear();
  EXPECT_EQ(admission_.size(), 0u);
  EXPECT_EQ(admission_.at_registry(), 0u);
}

TEST_F(LoginAdmissionTest, NobodyIsOverdueWhileThereIsRoom) {
  Accept(kMaxUnfinishedLogins - 1);
  now_ = now_ + kLoginTimeout;
  EXPECT_EQ(admission_.Overdue(now_), std::nullopt);
  EXPECT_EQ(admission_.Dispensable(now_), 1u) << "but if descriptors are scarce";
}

TEST_F(LoginAdmissionTest, NobodyIsOverdueBeforeSlowRadiosAre) {
  Accept(kMaxUnfinishedLogins);
  EXPECT_EQ(admission_.Overdue(now_ + (kScarceLoginTimeout - absl::Nanoseconds(1))), std::nullopt);
  EXPECT_EQ(admission_.Overdue(now_ + kScarceLoginTimeout), 1u);
}

TEST_F(LoginAdmissionTest, WhoWaitsForTheRegistryIsNotToBlame) {
  Accept(1);
  now_ = now_ + absl::Milliseconds(1);
  Accept(kMaxUnfinishedLogins);
  logins_.front()->AwaitRegistry(now_);
  EXPECT_EQ(admission_.Overdue(now_ + kScarceLoginTimeout), 2u) << "the oldest of the others";
}

// A Login needs no round trip after TLS.
TEST_F(LoginAdmissionTest, WhoIsDoneWithTlsAndSaysNothingGoesFirst) {
  Accept(kMaxUnfinishedLogins);
  logins_[7]->AwaitLogin(now_ + absl::Milliseconds(1));
  logins_[6]->AwaitLogin(now_ + absl::Milliseconds(2));
  now_ = now_ + absl::Milliseconds(1);
  EXPECT_EQ(admission_.Overdue(now_ + (kScarceLoginPause - absl::Nanoseconds(1))), std::nullopt);
  EXPECT_EQ(admission_.Overdue(now_ + kScarceLoginPause), 8u);
  logins_[7].reset();
  Accept(1);
  EXPECT_EQ(admission_.Overdue(now_ + kScarceLoginPause + absl::Milliseconds(1)), 7u);
}

// Somebody with more than a fair share loses first, and sooner. Nobody else does.
TEST_F(LoginAdmissionTest, WhoHasMoreThanAShareMakesRoomForOthers) {
  Accept(10, 'h');
  now_ = now_ + absl::Milliseconds(1);
  Accept(kMaxUnfinishedLogins - 10);
  const MonotonicTime later = now_ + kScarceLoginPause;
  EXPECT_EQ(admission_.Overdue(later), 11u);
  Accept(1);
  logins_.erase(logins_.begin() + 10);
  EXPECT_EQ(admission_.Overdue(later), 12u);
}

// Somebody opens connections as fast as they are taken, and leaves each alone, in its handshake or
// after it. Honest devices stand in the same line, one for each of his, and take a second to log
// in.
TEST_F(LoginAdmissionTest, HalfOpenConnectionsDoNotKeepHonestDevicesOut) {
  constexpr int kStepMs = 10;
  constexpr absl::Duration kHonestTakes = absl::Milliseconds(900);
  struct Honest {
    std::unique_ptr<Login> login;
    MonotonicTime since;
  };
  for (const bool after_tls : {false, true}) {
    std::vector<Honest> honest;
    std::vector<std::pair<uint64_t, std::unique_ptr<Login>>> half_open;
    int logged_in = 0, given_up = 0;
    const auto end = [&](uint64_t id) {
      for (auto it = half_open.begin(); it != half_open.end(); ++it) {
        if (it->first != id) continue;
        half_open.erase(it);
        return;
      }
      ++given_up;  // It was an honest one.
    };
    constexpr int kSeconds = 10;
    for (int step = 0; step < kSeconds * 1000 / kStepMs; ++step) {
      now_ = now_ + absl::Milliseconds(kStepMs);
      std::erase_if(honest, [&](const Honest& h) {
        if (now_ - h.since < kHonestTakes) return false;
        h.login->AwaitRegistry(now_);
        ++logged_in;
        return true;
      });
      for (;;) {
        while (const auto overdue = admission_.Overdue(now_)) end(*overdue);
        if (!HasRoom()) break;
        if (++last_id_ % 2 == 0) {
          honest.push_back({std::make_unique<Login>(&admission_, last_id_, Peer('a'), now_), now_});
        } else {
          half_open.emplace_back(last_id_,
                                 std::make_unique<Login>(&admission_, last_id_, Peer('a'), now_));
          if (after_tls) half_open.back().second->AwaitLogin(now_);
        }
      }
    }
    EXPECT_EQ(given_up, 0);
    EXPECT_GT(logged_in, kSeconds * (after_tls ? 100 : 30)) << after_tls;
    std::cout << logged_in << " logins\n";
  }
}

}  // namespace
}  // namespace bellwire::connector
