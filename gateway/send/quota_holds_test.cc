#include "gateway/send/quota_holds.h"

#include <string>

#include "common/error.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

absl::Status Refused(const std::string& of, const std::string& quota, absl::Duration retry_after) {
  absl::Status status =
      MakeError(absl::StatusCode::kResourceExhausted, "QUOTA_EXCEEDED", "too much");
  status = WithMetadata(std::move(status), "quota_of", of);
  return WithRetryAfter(WithMetadata(std::move(status), "quota", quota), retry_after);
}

TEST(QuotaHoldsTest, RepeatsARefusalUntilItMayBeTriedAgain) {
  SimulatedClock clock;
  QuotaHolds holds(&clock);
  EXPECT_FALSE(holds.Find("a").has_value());
  holds.Note("a", Refused("team", "messages_per_second", absl::Milliseconds(100)));
  EXPECT_FALSE(holds.Find("b").has_value());
  clock.Advance(absl::Milliseconds(40));
  const auto found = holds.Find("a");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(ErrorReason(*found), "QUOTA_EXCEEDED");
  EXPECT_EQ(RetryAfter(*found), absl::Milliseconds(60));
  clock.Advance(absl::Milliseconds(60));
  EXPECT_FALSE(holds.Find("a").has_value());
}

TEST(QuotaHoldsTest, HoldsNobodyForLongerThanAChangedQuotaMayTake) {
  SimulatedClock clock;
  QuotaHolds holds(&clock);
  holds.Note("a", Refused("team", "messages_per_day", absl::Hours(7)));
  clock.Advance(kMaxQuotaHold - absl::Milliseconds(1));
  const auto found = holds.Find("a");
  ASSERT_TRUE(found.has_value());
  EXPECT_GT(RetryAfter(*found), absl::Hours(6));
  clock.Advance(absl::Milliseconds(1));
  EXPECT_FALSE(holds.Find("a").has_value());
}

// Another message of the team may be for another app or token, or take no place.
TEST(QuotaHoldsTest, OtherRefusalsSayNothingAboutTheNextMessage) {
  SimulatedClock clock;
  QuotaHolds holds(&clock);
  holds.Note("a", absl::OkStatus());
  holds.Note("a", Refused("app", "messages_per_second", absl::Seconds(1)));
  holds.Note("a", Refused("token", "messages_per_day", absl::Seconds(1)));
  holds.Note("a", Refused("team", "bytes_waiting", absl::Seconds(1)));
  holds.Note("a", WithRetryAfter(MakeError(absl::StatusCode::kResourceExhausted, "OVERLOADED", "x"),
                                 absl::Seconds(1)));
  EXPECT_FALSE(holds.Find("a").has_value());
}

}  // namespace
}  // namespace bellwire::gateway
