#include "connector/session/gauge.h"

#include <memory>

#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

TEST(GaugeTest, SumsItsSharesAndForgetsThemWhenTheyGo) {
  Gauge gauge;
  auto one = std::make_unique<GaugeShare>(&gauge, 1);
  {
    GaugeShare more(&gauge);
    more.Set(10);
    more.Set(4);
    EXPECT_EQ(more.amount(), 4);
    EXPECT_EQ(gauge.value(), 5);
  }
  EXPECT_EQ(gauge.value(), 1);
  one.reset();
  EXPECT_EQ(gauge.value(), 0);
}

TEST(GaugeTest, CountsUnitsWhileTheyLive) {
  Gauge gauge;
  auto one = std::make_unique<GaugeUnit>(&gauge);
  {
    const GaugeUnit another(&gauge);
    EXPECT_EQ(gauge.value(), 2);
  }
  EXPECT_EQ(gauge.value(), 1);
  one.reset();
  EXPECT_EQ(gauge.value(), 0);
}

}  // namespace
}  // namespace bellwire::connector
