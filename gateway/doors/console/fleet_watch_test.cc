#include "gateway/doors/console/fleet_watch.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway {
namespace {

using nlohmann::json;

// A process that counts how often it is looked at.
class Process {
 public:
  LiveMetrics* metrics() { return metrics_.get(); }
  int looks() const { return looks_; }

 private:
  std::atomic<int> looks_{0};
  const std::shared_ptr<LiveMetrics> metrics_ = std::make_shared<LiveMetrics>();
  const LiveMetrics::Shown shown_{metrics_, [this] {
                                    ++looks_;
                                    return std::vector<prometheus::MetricFamily>();
                                  }};
};

FleetWatch::Options Of(Process* process) {
  return {.own = process->metrics(), .clock = RealClock(), .interval = absl::ZeroDuration()};
}

// Asks until there is a look after that of `number`.
FleetWatch::Latest After(uint64_t number, FleetWatch* fleet) {
  while (true) {
    FleetWatch::Latest latest = fleet->Get();
    if (latest.number > number) return latest;
    std::this_thread::yield();
  }
}

TEST(FleetWatchTest, WhoAsksSeesOneLookAfterTheOther) {
  Process process;
  FleetWatch::Options options = Of(&process);
  options.addresses = {"127.0.0.1:1"};
  FleetWatch fleet(options);
  EXPECT_EQ(process.looks(), 0) << "nobody has asked yet";
  const FleetWatch::Latest first = After(0, &fleet);
  const json look = json::parse(first.json, nullptr, false);
  ASSERT_EQ(look["programs"].size(), 2u) << first.json;
  EXPECT_EQ(look["programs"][0]["address"], "");
  EXPECT_EQ(look["programs"][1]["address"], "127.0.0.1:1");
  EXPECT_TRUE(look["programs"][1].contains("error"));
  const FleetWatch::Latest second = After(first.number, &fleet);
  EXPECT_GT(second.number, first.number);
  EXPECT_GE(static_cast<uint64_t>(process.looks()), second.number);
}

TEST(FleetWatchTest, AQuestionIsGoodForOneLook) {
  Process closed_process;
  Process open_process;
  {
    FleetWatch closed(Of(&closed_process));
    closed.Get();
    // As long as another one takes for many looks.
    FleetWatch open(Of(&open_process));
    uint64_t number = 0;
    while (number < 100) number = After(number, &open).number;
  }
  EXPECT_GE(open_process.looks(), 100);
  EXPECT_EQ(closed_process.looks(), 1) << "a page that was closed costs nothing";
}

TEST(FleetWatchTest, ItEndsWithoutHavingBegun) {
  Process process;
  const FleetWatch fleet(Of(&process));
}

}  // namespace
}  // namespace bellwire::gateway
