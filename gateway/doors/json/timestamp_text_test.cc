#include "gateway/doors/json/timestamp_text.h"

#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

TEST(TimestampTextTest, ReadsTimes) {
  google::protobuf::Timestamp time;
  EXPECT_TRUE(ReadTimestamp("1970-01-01T00:00:01.5Z", &time));
  EXPECT_EQ(time.seconds(), 1);
  EXPECT_EQ(time.nanos(), 500'000'000);
  EXPECT_TRUE(ReadTimestamp("1970-01-01T01:00:00+01:00", &time));
  EXPECT_EQ(time.seconds(), 0);
}

TEST(TimestampTextTest, RefusesWhatATimestampCannotHold) {
  google::protobuf::Timestamp time;
  for (const char* text :
       {"", "tomorrow", "infinite-future", " 2030-01-31T12:00:00Z", "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:59.999999999-23:59", "0001-01-01T00:00:00+00:01"}) {
    EXPECT_FALSE(ReadTimestamp(text, &time)) << text;
  }
}

}  // namespace
}  // namespace bellwire::gateway
