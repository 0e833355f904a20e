// What every EventLoop promises, asked of each.

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"
#include "net/loop/epoll_loop.h"
#include "net/loop/event_loop.h"
#include "net/simulated/simulated_loop.h"

namespace bellwire::net {
namespace {

// A loop and the means to let it run.
class LoopDriver {
 public:
  virtual ~LoopDriver() = default;
  virtual EventLoop& loop() = 0;
  // Runs the loop for (about) `d` of its time.
  virtual void RunFor(absl::Duration d) = 0;
};

class EpollDriver final : public LoopDriver {
 public:
  EventLoop& loop() override { return loop_; }
  void RunFor(absl::Duration d) override {
    const auto timer = loop_.NewTimer([this] { loop_.Stop(); });
    timer->Arm(d);
    loop_.Run();
  }

 private:
  EpollLoop loop_{RealClock()};
};

class SimulatedDriver final : public LoopDriver {
 public:
  EventLoop& loop() override { return loop_; }
  void RunFor(absl::Duration d) override { loop_.RunFor(d); }

 private:
  SimulatedClock clock_;
  SimulatedLoop loop_{&clock_};
};

struct Kind {
  std::string name;
  std::function<std::unique_ptr<LoopDriver>()> make;
};

class AllEventLoopsTest : public testing::TestWithParam<Kind> {
 protected:
  EventLoop& loop() { return driver_->loop(); }
  void RunFor(absl::Duration d) { driver_->RunFor(d); }

  const std::unique_ptr<LoopDriver> driver_ = GetParam().make();
};

INSTANTIATE_TEST_SUITE_P(
    , AllEventLoopsTest,
    testing::Values(Kind{"Epoll", [] { return std::make_unique<EpollDriver>(); }},
                    Kind{"Simulated", [] { return std::make_unique<SimulatedDriver>(); }}),
    [](const auto& info) { return info.param.name; });

TEST_P(AllEventLoopsTest, TimersFireInOrderAndNeverEarly) {
  std::vector<int> fired;
  const MonotonicTime start = loop().clock().Monotonic();
  std::vector<std::unique_ptr<Timer>> timers;
  for (const int delay_ms : {30, 10, 20}) {
    timers.push_back(loop().NewTimer([&, delay_ms] {
      EXPECT_GE(loop().clock().Monotonic() - start, absl::Milliseconds(delay_ms));
      fired.push_back(delay_ms);
    }));
    timers.back()->Arm(absl::Milliseconds(delay_ms));
    EXPECT_TRUE(timers.back()->armed());
  }
  RunFor(absl::Milliseconds(50));
  EXPECT_EQ(fired, (std::vector<int>{10, 20, 30}));
  for (const auto& timer : timers) EXPECT_FALSE(timer->armed()) << "once";
}

TEST_P(AllEventLoopsTest, FractionsOfATickAreRoundedUp) {
  const MonotonicTime start = loop().clock().Monotonic();
  absl::Duration took;
  const auto timer = loop().NewTimer([&] { took = loop().clock().Monotonic() - start; });
  timer->Arm(absl::Microseconds(1500));
  RunFor(absl::Milliseconds(20));
  EXPECT_GE(took, absl::Microseconds(1500));
}

TEST_P(AllEventLoopsTest, ZeroAndNegativeDelaysFireSoonAndNotInside) {
  int fired = 0;
  const auto timer = loop().NewTimer([&] { ++fired; });
  timer->Arm(absl::ZeroDuration());
  EXPECT_EQ(fired, 0);
  RunFor(absl::Milliseconds(10));
  EXPECT_EQ(fired, 1);
  timer->Arm(-absl::InfiniteDuration());
  RunFor(absl::Milliseconds(10));
  EXPECT_EQ(fired, 2);
}

TEST_P(AllEventLoopsTest, ArmingAgainReplacesTheDelay) {
  int fired = 0;
  const auto timer = loop().NewTimer([&] { ++fired; });
  timer->Arm(absl::Milliseconds(1));
  timer->Arm(absl::InfiniteDuration());
  RunFor(absl::Milliseconds(10));
  EXPECT_EQ(fired, 0);
  timer->Arm(absl::Milliseconds(1));
  RunFor(absl::Milliseconds(10));
  EXPECT_EQ(fired, 1);
}

TEST_P(AllEventLoopsTest, CancelledAndDestroyedTimersStaySilent) {
  int fired = 0;
  const auto cancelled = loop().NewTimer([&] { ++fired; });
  auto destroyed = loop().NewTimer([&] { ++fired; });
  cancelled->Arm(absl::Milliseconds(2));
  destroyed->Arm(absl::Milliseconds(2));
  // By another timer of the same tick or an earlier one, which is the hard case.
  const auto killer = loop().NewTimer([&] {
    cancelled->Cancel();
    destroyed.reset();
  });
  killer->Arm(absl::Milliseconds(1));
  RunFor(absl::Milliseconds(10));
  EXPECT_EQ(fired, 0);
  EXPECT_FALSE(cancelled->armed());
}

TEST_P(AllEventLoopsTest, ATimerMayArmItselfAgain) {
  int fired = 0;
  std::unique_ptr<Timer> timer;
  timer = loop().NewTimer([&] {
    if (++fired < 3) timer->Arm(absl::ZeroDuration());
  });
  timer->Arm(absl::ZeroDuration());
  RunFor(absl::Milliseconds(20));
  EXPECT_EQ(fired, 3);
}

TEST_P(AllEventLoopsTest, PostedTasksRunInOrderAndNotInside) {
  std::vector<int> ran;
  EXPECT_TRUE(loop().Post([&] {
    ran.push_back(1);
    EXPECT_TRUE(loop().Post([&] { ran.push_back(3); }));
    EXPECT_EQ(ran.size(), 1u);
  }));
  EXPECT_TRUE(loop().Post([&] { ran.push_back(2); }));
  EXPECT_TRUE(ran.empty());
  RunFor(absl::Milliseconds(1));
  EXPECT_EQ(ran, (std::vector<int>{1, 2, 3}));
}

TEST_P(AllEventLoopsTest, TheQueueOfPostedTasksIsBounded) {
  size_t ran = 0;
  for (size_t i = 0; i < kMaxPostedTasks; ++i) ASSERT_TRUE(loop().Post([&] { ++ran; }));
  EXPECT_FALSE(loop().Post([] { FAIL() << "it was refused"; }));
  RunFor(absl::Milliseconds(1));
  EXPECT_EQ(ran, kMaxPostedTasks);
  EXPECT_TRUE(loop().Post([&] { ++ran; }));
}

TEST_P(AllEventLoopsTest, DeleteLaterDestroysAfterTheCallbackAndBeforeTheNext) {
  struct Noisy {
    explicit Noisy(std::vector<std::string>* log) : log(log) {}
    ~Noisy() { log->push_back("destroyed"); }
    std::vector<std::string>* const log;
  };
  std::vector<std::string> log;
  auto object = std::make_unique<Noisy>(&log);
  loop().Post([&] {
    loop().DeleteLater(std::move(object));
    log.push_back("callback ends");
  });
  loop().Post([&] { log.push_back("next"); });
  RunFor(absl::Milliseconds(1));
  EXPECT_EQ(log, (std::vector<std::string>{"callback ends", "destroyed", "next"}));
}

TEST_P(AllEventLoopsTest, ATimerMayBeDeletedInItsOwnCallback) {
  int fired = 0;
  std::unique_ptr<Timer> timer;
  timer = loop().NewTimer([&] {
    ++fired;
    timer->Arm(absl::ZeroDuration());
    loop().DeleteLater(std::move(timer));
  });
  timer->Arm(absl::ZeroDuration());
  RunFor(absl::Milliseconds(10));
  EXPECT_EQ(fired, 1);
}

TEST_P(AllEventLoopsTest, ADestructorMayDeleteMore) {
  struct Chain {
    Chain(EventLoop* loop, int length, int* destroyed)
        : loop(loop), length(length), destroyed(destroyed) {}
    ~Chain() {
      ++*destroyed;
      if (length > 1) loop->DeleteLater(std::make_unique<Chain>(loop, length - 1, destroyed));
    }
    EventLoop* const loop;
    const int length;
    int* const destroyed;
  };
  int destroyed = 0;
  loop().Post([&] { loop().DeleteLater(std::make_unique<Chain>(&loop(), 3, &destroyed)); });
  RunFor(absl::Milliseconds(1));
  EXPECT_EQ(destroyed, 3);
}

}  // namespace
}  // namespace bellwire::net
