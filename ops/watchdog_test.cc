#include "ops/watchdog.h"

#include <stdlib.h>

#include <atomic>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace bellwire {
namespace {

class WatchdogTest : public ::testing::Test {
 protected:
  // Counts looks and words.
  Watchdog::Options Fast() {
    Watchdog::Options options;
    options.interval = absl::Milliseconds(1);
    options.patience = absl::Milliseconds(1);
    options.tell = [this] {
      absl::MutexLock lock(&mu_);
      ++told_;
    };
    return options;
  }
  Watchdog::Listener Listener(std::atomic<bool>* responds) {
    return {.name = "port", .responds = [this, responds](absl::Duration) {
              absl::MutexLock lock(&mu_);
              ++looks_;
              return responds->load();
            }};
  }
  int AwaitMore(int* count) {
    absl::MutexLock lock(&mu_);
    const int before = *count;
    const auto more = [count, before] { return *count >= before + 3; };
    mu_.Await(absl::Condition(&more));
    return *count;
  }
  int told() {
    absl::MutexLock lock(&mu_);
    return told_;
  }

  absl::Mutex mu_;
  int told_ = 0;
  int looks_ = 0;
};

TEST_F(WatchdogTest, TellsWhileAllListenersRespond) {
  std::atomic<bool> first = true;
  std::atomic<bool> second = true;
  std::vector<Watchdog::Listener> listeners;
  listeners.push_back(Listener(&first));
  listeners.push_back(Listener(&second));
  const Watchdog watchdog(std::move(listeners), Fast());
  AwaitMore(&told_);
  second = false;
  AwaitMore(&looks_);
  const int told_before = told();
  AwaitMore(&looks_);
  EXPECT_EQ(told(), told_before);
  second = true;
  AwaitMore(&told_);
}

TEST_F(WatchdogTest, LooksThreeTimesWhileTheServiceManagerWaits) {
  setenv("WATCHDOG_USEC", "30000000", 1);
  const Watchdog::Options options = Watchdog::DefaultOptions();
  unsetenv("WATCHDOG_USEC");
  EXPECT_EQ(options.interval, absl::Seconds(10));
  EXPECT_EQ(options.patience, absl::Seconds(5));
}

}  // namespace
}  // namespace bellwire
