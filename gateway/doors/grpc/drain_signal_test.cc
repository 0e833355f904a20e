#include "gateway/doors/grpc/drain_signal.h"

#include <memory>
#include <thread>

#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

class CountingListener final : public DrainSignal::Listener {
 public:
  explicit CountingListener(DrainSignal* signal) : signal_(signal) {}
  void OnDrain() override {
    ++drains;
    if (leaves_at_once) signal_->Remove(this);
  }
  void OnDrainOver() override {
    ++overs;
    signal_->Remove(this);
  }
  bool leaves_at_once = true;
  int drains = 0;
  int overs = 0;

 private:
  DrainSignal* const signal_;
};

TEST(DrainSignalTest, ReachesThoseThatAreThere) {
  DrainSignal signal;
  auto stays = std::make_shared<CountingListener>(&signal);
  auto leaves = std::make_shared<CountingListener>(&signal);
  auto dies = std::make_shared<CountingListener>(&signal);
  EXPECT_TRUE(signal.Add(stays));
  EXPECT_TRUE(signal.Add(leaves));
  EXPECT_TRUE(signal.Add(dies));
  signal.Remove(leaves.get());
  dies.reset();
  signal.Begin();
  signal.Begin();
  EXPECT_EQ(stays->drains, 1);
  EXPECT_EQ(leaves->drains, 0);
}

TEST(DrainSignalTest, WhoIsLeftWhenTheTimeIsUpHearsThat) {
  DrainSignal signal;
  auto stays = std::make_shared<CountingListener>(&signal);
  auto leaves = std::make_shared<CountingListener>(&signal);
  stays->leaves_at_once = false;
  EXPECT_TRUE(signal.Add(stays));
  EXPECT_TRUE(signal.Add(leaves));
  EXPECT_FALSE(signal.AwaitNone(absl::ZeroDuration()));
  signal.Begin();
  EXPECT_FALSE(signal.AwaitNone(absl::Milliseconds(1)));
  EXPECT_EQ(stays->overs, 0);
  signal.End();
  EXPECT_EQ(stays->overs, 1);
  EXPECT_EQ(leaves->overs, 0);
  EXPECT_TRUE(signal.AwaitNone(absl::ZeroDuration()));
}

TEST(DrainSignalTest, WaitsForTheLastHold) {
  DrainSignal signal;
  signal.AwaitNoHold();
  std::shared_ptr<void> first = signal.Hold();
  std::shared_ptr<void> second = signal.Hold();
  std::thread waiter([&] { signal.AwaitNoHold(); });
  first.reset();
  second.reset();
  waiter.join();
}

TEST(DrainSignalTest, RefusesThoseThatComeTooLate) {
  DrainSignal signal;
  signal.Begin();
  EXPECT_FALSE(signal.Add(std::make_shared<CountingListener>(&signal)));
}

}  // namespace
}  // namespace bellwire::gateway
