#include "gateway/send/send_counters.h"

#include <set>
#include <string>

#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

absl::Status Error(absl::StatusCode code, absl::string_view reason) {
  return MakeError(code, reason, "why");
}

TEST(SendCountersTest, EachAnswerHasAName) {
  std::set<std::string> names;
  for (size_t i = 0; i < kSendAnswers; ++i) {
    EXPECT_TRUE(names.insert(std::string(Name(static_cast<SendAnswer>(i)))).second) << i;
  }
  EXPECT_FALSE(names.contains("?"));
  EXPECT_EQ(Name(static_cast<SendAnswer>(kSendAnswers)), "?");
  names.clear();
  for (size_t i = 0; i < kSendDoors; ++i) {
    EXPECT_TRUE(names.insert(std::string(Name(static_cast<SendDoor>(i)))).second) << i;
  }
  EXPECT_FALSE(names.contains("?"));
  EXPECT_EQ(Name(static_cast<SendDoor>(kSendDoors)), "?");
}

TEST(SendCountersTest, AnErrorIsWhatItsReasonSays) {
  using absl::StatusCode;
  EXPECT_EQ(AnswerOf(Error(StatusCode::kInvalidArgument, "BAD_DEVICE_TOKEN")),
            SendAnswer::kBadToken);
  EXPECT_EQ(AnswerOf(Error(StatusCode::kInvalidArgument, "PAYLOAD_TOO_LARGE")),
            SendAnswer::kInvalid);
  EXPECT_EQ(AnswerOf(Error(StatusCode::kNotFound, "UNREGISTERED")), SendAnswer::kUnregistered);
  EXPECT_EQ(AnswerOf(Error(StatusCode::kResourceExhausted, "MAILBOX_FULL")),
            SendAnswer::kMailboxFull);
  EXPECT_EQ(AnswerOf(Error(StatusCode::kResourceExhausted, "OVERLOADED")),
            SendAnswer::kOverloaded);
  EXPECT_EQ(AnswerOf(Error(StatusCode::kResourceExhausted, "QUOTA_EXCEEDED")), SendAnswer::kQuota);
  EXPECT_EQ(AnswerOf(Error(StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE")),
            SendAnswer::kUnavailable);
  EXPECT_EQ(AnswerOf(Error(StatusCode::kInternal, "INTERNAL")), SendAnswer::kInternal);
  EXPECT_EQ(AnswerOf(Error(StatusCode::kDataLoss, "STORE_CORRUPT")), SendAnswer::kInternal);
}

TEST(SendCountersTest, ADuplicateIsNoSecondMessage) {
  push::v1::SendResponse response;
  response.set_outcome(push::v1::SendResponse::ACCEPTED);
  EXPECT_EQ(AnswerOf(response), SendAnswer::kAccepted);
  response.set_duplicate(true);
  EXPECT_EQ(AnswerOf(response), SendAnswer::kDuplicate);
}

TEST(SendCountersTest, ReportsWhatCame) {
  SendCounters counters;
  counters.Count(SendDoor::kApns, /*is_team=*/true, SendAnswer::kAccepted);
  counters.Count(SendDoor::kWebPush, /*is_team=*/false, SendAnswer::kOverloaded);
  counters.Time(SendDoor::kApns, absl::Milliseconds(3));
  metrics::Samples samples;
  counters.Report(&samples);
  const auto families = samples.Take();
  ASSERT_EQ(families.size(), 2u);
  // One for each door from the start, and the one that was refused.
  EXPECT_EQ(families[0].metric.size(), kSendDoors + 1);
  double all = 0;
  for (const auto& metric : families[0].metric) all += metric.counter.value;
  EXPECT_EQ(all, 2);
  EXPECT_EQ(families[1].metric.size(), kSendDoors);
  EXPECT_EQ(families[1].metric[static_cast<size_t>(SendDoor::kApns)].histogram.sample_count, 1u);
}

}  // namespace
}  // namespace bellwire::gateway
