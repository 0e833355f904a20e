#include "device-agent/core/traffic_meter.h"

#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::agent {
namespace {

TEST(TrafficMeterTest, CountsTheLastDayAndNoMore) {
  SimulatedClock clock;
  TrafficMeter meter(clock.Boottime());
  TrafficMeter::Counters counters;
  const auto beat = [&] {
    clock.Advance(absl::Minutes(10));
    ++counters.heartbeats_sent;
    counters.bytes_sent += 23;
    counters.bytes_received += 25;
    meter.Note(clock.Boottime(), counters);
  };
  for (int i = 0; i < 12; ++i) beat();
  TrafficMeter::Span day = meter.LastDay(clock.Boottime(), counters);
  EXPECT_EQ(day.time, absl::Hours(2)) << "all there was";
  EXPECT_EQ(day.traffic.heartbeats_sent, 12u);
  for (int i = 0; i < 5000; ++i) {
    beat();
    ASSERT_LE(meter.marks(), 26u);
  }
  day = meter.LastDay(clock.Boottime(), counters);
  EXPECT_GE(day.time, absl::Hours(24));
  EXPECT_LE(day.time, absl::Hours(25));
  EXPECT_EQ(day.traffic.heartbeats_sent, day.time / absl::Minutes(10));
  EXPECT_EQ(day.traffic.bytes_sent, 23 * day.traffic.heartbeats_sent);
  EXPECT_EQ(day.traffic.bytes_received, 25 * day.traffic.heartbeats_sent);
}

TEST(TrafficMeterTest, AfterALongSleepTheDayIsLonger) {
  SimulatedClock clock;
  TrafficMeter meter(clock.Boottime());
  TrafficMeter::Counters counters;
  clock.Suspend(absl::Hours(100));
  counters.heartbeats_sent = 1;
  EXPECT_EQ(meter.LastDay(clock.Boottime(), counters).time, absl::Hours(100));
}

}  // namespace
}  // namespace bellwire::agent
