#include "common/log.h"

#include "gtest/gtest.h"

namespace bellwire {
namespace {

TEST(LogTest, LogfmtQuotesWhatWouldBreakALine) {
  EXPECT_EQ(RenderLogLine(LogFormat::kLogfmt, LogLevel::kInfo, "session_closed",
                          {{"device", "00ff"}, {"bytes", 12}, {"why", "bad \"frame\"\n"}}),
            "level=info event=session_closed device=00ff bytes=12 why=\"bad \\\"frame\\\"\\n\"");
}

TEST(LogTest, JsonEscapesControlAndHighBytes) {
  EXPECT_EQ(RenderLogLine(LogFormat::kJson, LogLevel::kError, "x", {{"v", "a\"\\\n\xff"}}),
            "\"level\":\"error\",\"event\":\"x\",\"v\":\"a\\\"\\\\\\u000a\\u00ff\"");
}

TEST(LogTest, Levels) {
  LogLevel level;
  EXPECT_TRUE(ParseLogLevel("warning", &level));
  EXPECT_EQ(level, LogLevel::kWarning);
  EXPECT_FALSE(ParseLogLevel("loud", &level));
}

}  // namespace
}  // namespace bellwire
