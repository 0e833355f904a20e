#include "gateway/doors/http/token_bucket.h"

#include "gtest/gtest.h"

namespace bellwire::http {
namespace {

TEST(TokenBucketTest, AllowsABurstAndThenTheRate) {
  MonotonicTime now = MonotonicTime::FromNanoseconds(1);
  TokenBucket bucket(3, 2, now);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.Take(now));
  EXPECT_FALSE(bucket.Take(now));
  now = now + absl::Seconds(1);
  EXPECT_TRUE(bucket.Take(now));
  EXPECT_TRUE(bucket.Take(now));
  EXPECT_FALSE(bucket.Take(now));
  now = now + absl::Hours(1);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.Take(now)) << "never more than the burst";
  EXPECT_FALSE(bucket.Take(now));
}

// Five thousand connections after a quiet time had twice as many lines in the log.
TEST(TokenBucketTest, AQuietTimeIsWorthOneBurst) {
  const MonotonicTime start;
  TokenBucket bucket(3, 2, start);
  EXPECT_TRUE(bucket.Take(start));
  const MonotonicTime later = start + absl::Seconds(60);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.Take(later));
  EXPECT_FALSE(bucket.Take(later));
}

TEST(TokenBucketTest, MoreCanBeEarned) {
  const MonotonicTime now;
  TokenBucket bucket(2, 0, now);
  EXPECT_TRUE(bucket.Take(now));
  EXPECT_TRUE(bucket.Take(now));
  EXPECT_FALSE(bucket.Take(now));
  bucket.Earn(1);
  EXPECT_TRUE(bucket.Take(now));
  EXPECT_FALSE(bucket.Take(now));
}

}  // namespace
}  // namespace bellwire::http
