#include "common/trace_context.h"

#include <string>

#include "gtest/gtest.h"

namespace bellwire {
namespace {

// The examples of W3C Trace Context, 3.2.3.
constexpr char kExample[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

std::string Normal(absl::string_view field) {
  const auto parsed = ParseTraceparent(field);
  return parsed.has_value() ? FormatTraceparent(*parsed) : "malformed";
}

TEST(TraceContextTest, AFieldComesBackAsItWas) {
  EXPECT_EQ(Normal(kExample), kExample);
  EXPECT_EQ(Normal("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
  EXPECT_EQ(ParseTraceparent(kExample)->size(), kTraceContextBytes);
  EXPECT_EQ(TraceIdOf(*ParseTraceparent(kExample)), "4bf92f3577b34da6a3ce929d0e0e4736");
}

TEST(TraceContextTest, WhatIsMalformedIsNoTrace) {
  for (const char* field : {
           "",
           "00",
           // A character too few, and one too many.
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
           // Upper case, and no hex.
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
           "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
           // The version that never is, and ids of zeros.
           "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
           // Hyphens elsewhere.
           "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01",
           " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more",
       }) {
    EXPECT_EQ(ParseTraceparent(field), std::nullopt) << field;
  }
}

TEST(TraceContextTest, ANewerVersionIsReadAsFarAsItIsKnown) {
  EXPECT_EQ(Normal("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), kExample);
  EXPECT_EQ(Normal("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-ever"), kExample);
  // Flags that nobody knows yet are not passed on.
  EXPECT_EQ(Normal("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff"), kExample);
}

TEST(TraceContextTest, NoTraceHasNoText) {
  EXPECT_EQ(FormatTraceparent(""), "");
  EXPECT_EQ(FormatTraceparent(std::string(24, 'x')), "");
  EXPECT_EQ(TraceIdOf(std::string(26, 'x')), "");
}

}  // namespace
}  // namespace bellwire
