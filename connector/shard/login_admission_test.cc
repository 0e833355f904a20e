#include "connector/shard/login_admission.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

class LoginAdmissionTest : public testing::Test {
 protected:
  using Login = LoginAdmission::Login;

  void Accept(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      logins_.push_back(std::make_unique<Login>(&admission_, ++last_id_, now_));
    }
  }
  bool HasRoom() const { return admission_.HasRoom(/*ready_handshakes=*/0); }

  LoginAdmission admission_;
  std::vector<std::unique_ptr<Login>> logins_;
  uint64_t last_id_ = 0;
  MonotonicTime now_ = MonotonicTime() + absl::Hours(1);
};

TEST_F(LoginAdmissionTest, TakesSoManyAndNoMore) {
  Accept(kMaxLoginsPerShard - 1);
  EXPECT_TRUE(HasRoom());
  Accept(1);
  EXPECT_FALSE(HasRoom());
  logins_.pop_back();
  EXPECT_TRUE(HasRoom());
}

TEST_F(LoginAdmissionTest, WaitsForHandshakesThatAreReady) {
  EXPECT_TRUE(admission_.HasRoom(kMaxReadyHandshakes - 1));
  EXPECT_FALSE(admission_.HasRoom(kMaxReadyHandshakes));
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
  Accept(kMaxLoginsPerShard - 1);
  now_ = now_ + kLoginTimeout;
  EXPECT_EQ(admission_.Overdue(now_), std::nullopt);
}

TEST_F(LoginAdmissionTest, NobodyIsOverdueBeforeSlowRadiosAre) {
  Accept(kMaxLoginsPerShard);
  EXPECT_EQ(admission_.Overdue(now_ + (kScarceLoginTimeout - absl::Nanoseconds(1))), std::nullopt);
  EXPECT_EQ(admission_.Overdue(now_ + kScarceLoginTimeout), 1u);
}

TEST_F(LoginAdmissionTest, WhoWaitsForTheRegistryIsNotToBlame) {
  Accept(1);
  now_ = now_ + absl::Milliseconds(1);
  Accept(kMaxLoginsPerShard - 1);
  logins_.front()->AwaitRegistry(now_);
  EXPECT_EQ(admission_.Overdue(now_ + kScarceLoginTimeout), 2u) << "the oldest of the others";
}

// Sending slow peers away would only make them come back.
TEST_F(LoginAdmissionTest, NobodyIsOverdueWhileOthersGetThrough) {
  Accept(kMaxLoginsPerShard);
  now_ = now_ + kScarceLoginTimeout;
  const auto get_through = [&](int count) {
    for (int i = 0; i < count; ++i) {
      Login login(&admission_, ++last_id_, now_);
      login.AwaitRegistry(now_);
    }
  };
  get_through(LoginAdmission::kGettingThrough - 1);
  EXPECT_EQ(admission_.Overdue(now_), 1u);
  get_through(1);
  EXPECT_EQ(admission_.Overdue(now_), std::nullopt);
  now_ = now_ + absl::Seconds(1);
  get_through(1);
  EXPECT_EQ(admission_.Overdue(now_), std::nullopt) << "those of the second before count";
  now_ = now_ + absl::Seconds(2);
  EXPECT_EQ(admission_.Overdue(now_), 1u);
}

// Somebody opens connections as fast as they are taken, and leaves each alone. Honest devices stand in the same
// backlog, one for each of his, and take a second to log in.
TEST_F(LoginAdmissionTest, HalfOpenConnectionsDoNotKeepHonestDevicesOut) {
  constexpr int kStepMs = 10;
  constexpr absl::Duration kHonestTakes = absl::Seconds(1);
  struct Honest {
    std::unique_ptr<Login> login;
    MonotonicTime since;
  };
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
  constexpr int kSeconds = 30;
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
        honest.push_back({std::make_unique<Login>(&admission_, last_id_, now_), now_});
      } else {
        half_open.emplace_back(last_id_, std::make_unique<Login>(&admission_, last_id_, now_));
      }
    }
  }
  EXPECT_EQ(given_up, 0);
  // Half-open ones go three seconds later, or when too few get through: 40 a second and more do.
  EXPECT_GT(logged_in, kSeconds * 40);
}

}  // namespace
}  // namespace bellwire::connector
