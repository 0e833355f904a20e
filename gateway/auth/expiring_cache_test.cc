#include "gateway/auth/expiring_cache.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

const MonotonicTime kNow = MonotonicTime::FromNanoseconds(1'000'000'000);

TEST(ExpiringCacheTest, FindsUntilItExpires) {
  ExpiringCache<std::string, int> cache(4);
  cache.Put("a", 1, kNow + absl::Seconds(5));
  const int* found = cache.Find("a", kNow + absl::Seconds(4));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(*found, 1);
  EXPECT_EQ(cache.Find("a", kNow + absl::Seconds(5)), nullptr);
  EXPECT_EQ(cache.Find("b", kNow), nullptr);
}

TEST(ExpiringCacheTest, PutReplaces) {
  ExpiringCache<std::string, int> cache(4);
  cache.Put("a", 1, kNow + absl::Seconds(1));
  cache.Put("a", 2, kNow + absl::Seconds(9));
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_EQ(*cache.Find("a", kNow + absl::Seconds(5)), 2);
}

TEST(ExpiringCacheTest, IsBoundedAndForgetsTheOldest) {
  ExpiringCache<std::string, int> cache(100);
  for (int i = 0; i < 1000; ++i) cache.Put(absl::StrCat(i), i, kNow + absl::Seconds(1));
  EXPECT_EQ(cache.size(), 100u);
  EXPECT_EQ(cache.Find("899", kNow), nullptr);
  EXPECT_EQ(*cache.Find("900", kNow), 900);
}

TEST(ExpiringCacheTest, ReplacingInAFullCacheEvictsNothing) {
  ExpiringCache<std::string, int> cache(2);
  cache.Put("a", 1, kNow + absl::Seconds(1));
  cache.Put("b", 2, kNow + absl::Seconds(1));
  cache.Put("b", 3, kNow + absl::Seconds(1));
  EXPECT_EQ(*cache.Find("a", kNow), 1);
  EXPECT_EQ(*cache.Find("b", kNow), 3);
}

}  // namespace
}  // namespace bellwire::gateway
