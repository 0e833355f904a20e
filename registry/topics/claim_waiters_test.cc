#include "registry/topics/claim_waiters.h"

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/error.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

class ClaimWaitersTest : public testing::Test {
 protected:
  void Park(const std::string& name, absl::Duration wait) {
    waiters_.Park(clock_.Monotonic() + wait, [this, name](absl::Status status) {
      woken_.push_back(status.ok() ? name : ErrorReason(status));
    });
  }
  std::vector<std::string> Woken() { return std::exchange(woken_, {}); }

  SimulatedClock clock_;
  ClaimWaiters waiters_;
  std::vector<std::string> woken_;
};

using Names = std::vector<std::string>;

TEST_F(ClaimWaitersTest, OneIsWokenForOneFanOutTheLongestWaitingFirst) {
  waiters_.WakeOne();
  Park("a", absl::Seconds(5));
  Park("b", absl::Seconds(5));
  Park("c", absl::Seconds(5));
  waiters_.WakeOne();
  EXPECT_EQ(Woken(), Names{"a"});
  waiters_.WakeAll();
  EXPECT_EQ(Woken(), (Names{"b", "c"}));
  waiters_.WakeAll();
  EXPECT_EQ(Woken(), Names());
}

TEST_F(ClaimWaitersTest, AWaitEndsAtItsTime) {
  Park("a", absl::Seconds(5));
  Park("b", absl::Seconds(3));
  clock_.Advance(absl::Seconds(3));
  waiters_.Expire(clock_.Monotonic());
  EXPECT_EQ(Woken(), Names{"b"});
  clock_.Advance(absl::Seconds(2));
  waiters_.Expire(clock_.Monotonic());
  EXPECT_EQ(Woken(), Names{"a"});
}

TEST_F(ClaimWaitersTest, ThereIsABoundAndPlacesComeFree) {
  for (size_t i = 0; i < kMaxClaimWaiters; ++i) Park("a", absl::Seconds(5));
  EXPECT_EQ(Woken(), Names());
  Park("b", absl::Seconds(5));
  EXPECT_EQ(Woken(), Names{"OVERLOADED"});
  waiters_.WakeOne();
  EXPECT_EQ(Woken(), Names{"a"});
  Park("c", absl::Seconds(5));
  EXPECT_EQ(Woken(), Names());
  waiters_.WakeAll();
  EXPECT_EQ(Woken().size(), kMaxClaimWaiters);
}

}  // namespace
}  // namespace bellwire::registry
