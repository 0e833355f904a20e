#include "net/tls/handshake_queue.h"

#include <functional>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "net/loop/epoll_loop.h"
#include "net/loop/run_loop_until.h"

namespace bellwire::net {
namespace {

// A clock that members move while they work, or are kept from it; the loop waits in real time all
// the same.
class WorkClock final : public Clock {
 public:
  MonotonicTime Monotonic() const override { return RealClock()->Monotonic() + worked_ + lost_; }
  MonotonicTime Boottime() const override { return Monotonic(); }
  absl::Time WallNow() const override { return RealClock()->WallNow(); }
  void Work(absl::Duration d) { worked_ += d; }
  void BeInterrupted(absl::Duration d) { lost_ += d; }
  absl::Duration worked() const { return worked_; }

 private:
  absl::Duration worked_;
  absl::Duration lost_;
};

class HandshakeQueueTest : public testing::Test {
 protected:
  struct Handshake final : HandshakeQueue::Member {
    Handshake(HandshakeQueueTest* test, int number)
        : test(test),
          number(number),
          place(std::make_unique<HandshakeQueue::Place>(&test->queue_, this)) {}
    void OnTurn() override {
      test->turns_.push_back(number);
      test->clock_.Work(test->step_);
      test->clock_.BeInterrupted(test->interrupted_);
      if (on_turn) on_turn();
    }
    HandshakeQueueTest* const test;
    const int number;
    std::unique_ptr<HandshakeQueue::Place> place;
    std::function<void()> on_turn;
  };

  Handshake* Add() {
    handshakes_.push_back(std::make_unique<Handshake>(this, static_cast<int>(handshakes_.size())));
    return handshakes_.back().get();
  }
  bool RunUntilTurns(size_t n) {
    return RunLoopUntil(&loop_, [&] { return turns_.size() >= n; });
  }

  WorkClock clock_;
  EpollLoop loop_{&clock_};
  HandshakeQueue queue_{&loop_, [this] {
                          ++cpu_time_asked_;
                          return clock_.worked();
                        }};
  std::vector<std::unique_ptr<Handshake>> handshakes_;
  std::vector<int> turns_;
  int cpu_time_asked_ = 0;
  absl::Duration step_;
  absl::Duration interrupted_;
};

TEST_F(HandshakeQueueTest, TheOldestComesFirst) {
  for (int i = 0; i < 3; ++i) Add();
  for (const int i : {2, 0, 1, 0}) handshakes_[static_cast<size_t>(i)]->place->AskForTurn();
  EXPECT_EQ(queue_.size(), 3u);
  EXPECT_TRUE(RunUntilTurns(3));
  EXPECT_EQ(turns_, (std::vector<int>{2, 0, 1}));
  EXPECT_EQ(queue_.size(), 0u);
}

TEST_F(HandshakeQueueTest, OneStepATurnOfTheLoop) {
  for (int i = 0; i < 10; ++i) Add()->place->AskForTurn();
  // Work of the loop that is always there gets its turn after each step.
  std::vector<size_t> seen;
  FdWatch other(&loop_, [&](uint32_t) {
    seen.push_back(turns_.size());
    if (turns_.size() < 10) other.Wake();
  });
  other.Wake();
  EXPECT_TRUE(RunUntilTurns(10));
  for (size_t i = 1; i < seen.size(); ++i) EXPECT_LE(seen[i] - seen[i - 1], 1u);
}

// It is a system call, twice a step.
TEST_F(HandshakeQueueTest, AsksForTheTimeOnlyWhileItGivesWay) {
  for (int i = 0; i < 3; ++i) Add()->place->AskForTurn();
  EXPECT_TRUE(RunUntilTurns(3));
  EXPECT_EQ(cpu_time_asked_, 0);
}

TEST_F(HandshakeQueueTest, WhoIsGoneLosesItsPlace) {
  for (int i = 0; i < 3; ++i) Add()->place->AskForTurn();
  handshakes_[1]->place.reset();
  EXPECT_TRUE(RunUntilTurns(2));
  EXPECT_EQ(turns_, (std::vector<int>{0, 2}));
}

TEST_F(HandshakeQueueTest, APlaceMayGoInItsTurnOrBeAskedForAgain) {
  Handshake* const one = Add();
  Handshake* const two = Add();
  one->on_turn = [&] { one->place.reset(); };
  two->on_turn = [&] {
    if (turns_.size() < 4) two->place->AskForTurn();
  };
  one->place->AskForTurn();
  two->place->AskForTurn();
  EXPECT_TRUE(RunUntilTurns(4));
  EXPECT_EQ(turns_, (std::vector<int>{0, 1, 1, 1}));
}

// While others wait, steps get less than a quarter of the time; the clock here moves by what steps
// take and by what passes.
TEST_F(HandshakeQueueTest, GivesWay) {
  step_ = absl::Milliseconds(1);
  queue_.GiveWay();
  for (int i = 0; i < 40; ++i) Add()->place->AskForTurn();
  const MonotonicTime begun = clock_.Monotonic();
  EXPECT_TRUE(RunUntilTurns(40));
  const absl::Duration took = clock_.Monotonic() - begun;
  EXPECT_GE(took, 39 * step_ * (1 + HandshakeQueue::kRestPerStep));
}

// What a login sets off elsewhere is no less if its handshake costs nothing here.
TEST_F(HandshakeQueueTest, GivesWayToWhatFollowsAHandshake) {
  queue_.GiveWay();
  for (int i = 0; i < 100; ++i) Add()->place->AskForTurn();
  const MonotonicTime begun = clock_.Monotonic();
  EXPECT_TRUE(RunUntilTurns(100));
  // The last rests are put together, and come after the last step.
  EXPECT_GE(clock_.Monotonic() - begun,
            100 * HandshakeQueue::kRestPerStep * HandshakeQueue::kWorkElsewhere -
                2 * HandshakeQueue::kShortestRest);
}

TEST_F(HandshakeQueueTest, RestsAlsoIfTheyComeOneByOne) {
  step_ = HandshakeQueue::kLongestStep;
  queue_.GiveWay();
  Handshake* const one = Add();
  Handshake* const two = Add();
  one->place->AskForTurn();
  EXPECT_TRUE(RunUntilTurns(1));
  const MonotonicTime rests_since = clock_.Monotonic();
  two->place->AskForTurn();
  EXPECT_TRUE(RunUntilTurns(2));
  // The loop was asked every millisecond whether the first had its turn.
  EXPECT_GE(clock_.Monotonic() - rests_since, (HandshakeQueue::kRestPerStep - 1) * step_);
}

TEST_F(HandshakeQueueTest, DoesNotRestForTheTimeOfOthers) {
  interrupted_ = HandshakeQueue::kLongestStep;
  for (int i = 0; i < 1000; ++i) Add()->on_turn = [this] { queue_.GiveWay(); };
  for (const auto& handshake : handshakes_) handshake->place->AskForTurn();
  const MonotonicTime begun = RealClock()->Monotonic();
  EXPECT_TRUE(RunUntilTurns(1000));
  // Three seconds; a tenth of it is what follows their logins.
  EXPECT_LT(RealClock()->Monotonic() - begun, 1000 * HandshakeQueue::kRestPerStep * interrupted_);
}

TEST_F(HandshakeQueueTest, DoesNotRestLongerThanAsked) {
  step_ = absl::Milliseconds(300);
  queue_.GiveWay();
  for (int i = 0; i < 20; ++i) Add()->place->AskForTurn();
  const MonotonicTime begun = RealClock()->Monotonic();
  EXPECT_TRUE(RunUntilTurns(20));
  // Three rests of little more than 3 ms; after that nobody waits any more.
  EXPECT_LT(RealClock()->Monotonic() - begun, 3 * step_);
}

}  // namespace
}  // namespace bellwire::net
