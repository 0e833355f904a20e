#include "gateway/doors/grpc/drain_signal.h"

#include <memory>

#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

class CountingListener final : public DrainSignal::Listener {
 public:
  explicit CountingListener(DrainSignal* signal) : signal_(signal) {}
  void OnDrain() override {
    ++drains;
    signal_->Remove(this);
  }
  int drains = 0;

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

TEST(DrainSignalTest, RefusesThoseThatComeTooLate) {
  DrainSignal signal;
  signal.Begin();
  EXPECT_FALSE(signal.Add(std::make_shared<CountingListener>(&signal)));
}

}  // namespace
}  // namespace bellwire::gateway
