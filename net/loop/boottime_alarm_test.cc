#include "net/loop/boottime_alarm.h"

#include "absl/time/time.h"
#include "common/clock.h"
#include "gtest/gtest.h"
#include "net/loop/run_loop_until.h"

namespace bellwire::net {
namespace {

class BoottimeAlarmTest : public testing::Test {
 protected:
  void SetUp() override {
    auto alarm = BoottimeAlarm::New(&loop_, [this] {
      ++fired_;
      fired_at_ = RealClock()->Boottime();
    });
    ASSERT_TRUE(alarm.ok()) << alarm.status();
    alarm_ = *std::move(alarm);
  }
  // The loop runs for so long.
  void RunFor(absl::Duration d) {
    bool over = false;
    const auto timer = loop_.NewTimer([&over] { over = true; });
    timer->Arm(d);
    EXPECT_TRUE(RunLoopUntil(&loop_, [&] { return over; }));
  }

  EpollLoop loop_{RealClock()};
  int fired_ = 0;
  MonotonicTime fired_at_;
  std::unique_ptr<BoottimeAlarm> alarm_;
};

TEST_F(BoottimeAlarmTest, FiresOnceAndNotEarly) {
  const MonotonicTime start = RealClock()->Boottime();
  EXPECT_FALSE(alarm_->armed());
  alarm_->Arm(absl::Milliseconds(30));
  EXPECT_TRUE(alarm_->armed());
  ASSERT_TRUE(RunLoopUntil(&loop_, [&] { return fired_ > 0; }));
  EXPECT_GE(fired_at_ - start, absl::Milliseconds(30));
  EXPECT_FALSE(alarm_->armed());
  RunFor(absl::Milliseconds(50));
  EXPECT_EQ(fired_, 1);
}

TEST_F(BoottimeAlarmTest, WhatIsOverdueFiresAtOnce) {
  alarm_->Arm(absl::ZeroDuration());
  EXPECT_TRUE(RunLoopUntil(&loop_, [&] { return fired_ > 0; }));
}

TEST_F(BoottimeAlarmTest, CancelledItDoesNotFire) {
  alarm_->Arm(absl::Milliseconds(5));
  alarm_->Cancel();
  RunFor(absl::Milliseconds(30));
  EXPECT_EQ(fired_, 0);
}

TEST_F(BoottimeAlarmTest, TheLastWordCounts) {
  alarm_->Arm(absl::Milliseconds(5));
  alarm_->Arm(absl::InfiniteDuration());
  RunFor(absl::Milliseconds(30));
  EXPECT_EQ(fired_, 0);
  EXPECT_TRUE(alarm_->armed());
}

TEST_F(BoottimeAlarmTest, SaysWhetherItWakesTheMachine) {
  if (!alarm_->wakes_the_machine().ok()) {
    EXPECT_NE(alarm_->wakes_the_machine().message(), "");
  }
}

// That it speaks when the clock jumps can't be tried without setting this machine's clock.
TEST(ClockWatchTest, IsQuietWhileTheClockIsLeftAlone) {
  EpollLoop loop(RealClock());
  int changes = 0;
  const auto watch = ClockWatch::Start(&loop, [&changes] { ++changes; });
  ASSERT_TRUE(watch.ok()) << watch.status();
  bool over = false;
  const auto timer = loop.NewTimer([&over] { over = true; });
  timer->Arm(absl::Milliseconds(20));
  EXPECT_TRUE(RunLoopUntil(&loop, [&] { return over; }));
  EXPECT_EQ(changes, 0);
}

}  // namespace
}  // namespace bellwire::net
