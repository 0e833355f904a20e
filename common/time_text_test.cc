#include "common/time_text.h"

#include "gtest/gtest.h"

namespace bellwire {
namespace {

TEST(RenderDurationTest, PicksTheUnit) {
  EXPECT_EQ(RenderDuration(absl::Microseconds(340)), "340 us");
  EXPECT_EQ(RenderDuration(absl::Microseconds(1840)), "1.8 ms");
  EXPECT_EQ(RenderDuration(absl::Milliseconds(2500)), "2.50 s");
  EXPECT_EQ(RenderDuration(absl::Seconds(200)), "3 min 20 s");
  EXPECT_EQ(RenderDuration(absl::Minutes(125)), "2 h 5 min");
  EXPECT_EQ(RenderDuration(absl::Hours(24 * 28)), "28 days");
  EXPECT_EQ(RenderDuration(-absl::Milliseconds(3)), "-3.0 ms");
}

TEST(RenderTimeTest, JsonTimesAreRfc3339InUtc) {
  EXPECT_EQ(RenderTimeForJson(absl::FromUnixMillis(1'795'233'600'123)), "2026-11-21T04:00:00.123Z");
}

}  // namespace
}  // namespace bellwire
