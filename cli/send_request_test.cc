#include "cli/send_request.h"

#include <fstream>
#include <sstream>

#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

TEST(ParseTtlTest, TakesDurations) {
  EXPECT_EQ(*ParseTtl("0"), absl::ZeroDuration());
  EXPECT_EQ(*ParseTtl("90s"), absl::Seconds(90));
  EXPECT_EQ(*ParseTtl("1h30m"), absl::Minutes(90));
  EXPECT_EQ(*ParseTtl("28d"), absl::Hours(28 * 24));
  for (const char* bad : {"", "tomorrow", "5", "-3s", "-1d", "d"}) {
    EXPECT_FALSE(ParseTtl(bad).ok()) << bad;
  }
}

TEST(ParseDeliverAtTest, TakesTimesAndDistances) {
  EXPECT_EQ(*ParseDeliverAt("+10m", kNow), kNow + absl::Minutes(10));
  EXPECT_EQ(*ParseDeliverAt("2027-01-15T08:00:00Z", kNow), kNow);
  for (const char* bad : {"", "+", "+x", "2027-01-15"}) {
    EXPECT_FALSE(ParseDeliverAt(bad, kNow).ok()) << bad;
  }
}

TEST(MakeSendRequestTest, CarriesEveryFlag) {
  SendFlags flags;
  flags.token = "ab";
  flags.text = "hello";
  flags.has_text = true;
  flags.ttl = "1.5s";
  flags.priority = bellwire::push::v1::PRIORITY_HIGH;
  flags.collapse_key = "inbox";
  flags.message_id = "00000000-0000-4000-8000-000000000000";
  flags.deliver_at = "+500ms";
  flags.validate_only = true;
  std::istringstream no_input;
  const auto request = MakeSendRequest(flags, kNow, no_input);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->token(), "ab");
  EXPECT_EQ(request->payload(), "hello");
  EXPECT_EQ(request->ttl().seconds(), 1);
  EXPECT_EQ(request->ttl().nanos(), 500'000'000);
  EXPECT_EQ(request->priority(), bellwire::push::v1::PRIORITY_HIGH);
  EXPECT_EQ(request->collapse_key(), "inbox");
  EXPECT_EQ(request->message_id(), "00000000-0000-4000-8000-000000000000");
  EXPECT_EQ(request->deliver_at().seconds(), 1'800'000'000);
  EXPECT_EQ(request->deliver_at().nanos(), 500'000'000);
  EXPECT_TRUE(request->validate_only());
}

TEST(MakeSendRequestTest, LeavesDefaultsToTheServer) {
  std::istringstream no_input;
  const auto request = MakeSendRequest(SendFlags(), kNow, no_input);
  ASSERT_TRUE(request.ok());
  EXPECT_FALSE(request->has_ttl());
  EXPECT_FALSE(request->has_deliver_at());
}

TEST(MakeSendRequestTest, ReadsPayloadsFromAFileAndFromStandardInput) {
  const std::string binary("from\0stdin", 10);
  std::istringstream input(binary);
  EXPECT_EQ(MakeSendRequest(SendFlags(), kNow, input)->payload(), binary);

  SendFlags flags;
  flags.payload_file = testing::TempDir() + "/payload";
  std::ofstream(flags.payload_file) << "from a file";
  std::istringstream unused("unused");
  EXPECT_EQ(MakeSendRequest(flags, kNow, unused)->payload(), "from a file");

  flags.payload_file = "/nonexistent";
  EXPECT_EQ(MakeSendRequest(flags, kNow, unused).status().code(), absl::StatusCode::kNotFound);
}

TEST(MakeSendRequestTest, ReadsNoMoreThanTheServerNeedsToRefuse) {
  std::istringstream endless(std::string(100'000, 'x'));
  EXPECT_EQ(MakeSendRequest(SendFlags(), kNow, endless)->payload().size(), kMaxPayloadBytes + 1);
}

}  // namespace
}  // namespace bellwire::cli
