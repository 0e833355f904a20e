#include "cli/send_request.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>

#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

// A standard input with this in it.
class Input {
 public:
  explicit Input(const std::string& contents) {
    const std::string path = testing::TempDir() + "/input";
    std::ofstream(path, std::ios::binary) << contents;
    fd_ = open(path.c_str(), O_RDONLY);
  }
  ~Input() { close(fd_); }
  int fd() const { return fd_; }

 private:
  int fd_;
};

// One that nobody must read.
constexpr int kNoInput = -1;

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
  flags.deliver_at = "2027-01-15T08:00:00.5Z";
  flags.validate_only = true;
  const auto request = MakeSendRequest(flags, kNow, kNoInput);
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
  SendFlags flags;
  flags.has_text = true;
  const auto request = MakeSendRequest(flags, kNow, kNoInput);
  ASSERT_TRUE(request.ok());
  EXPECT_FALSE(request->has_ttl());
  EXPECT_FALSE(request->has_deliver_at());
}

TEST(MakeSendRequestTest, ReadsPayloadsFromAFileAndFromStandardInput) {
  const std::string binary("from\0stdin", 10);
  EXPECT_EQ(MakeSendRequest(SendFlags(), kNow, Input(binary).fd())->payload(), binary);

  SendFlags flags;
  flags.payload_file = testing::TempDir() + "/payload";
  std::ofstream(flags.payload_file) << "from a file";
  EXPECT_EQ(MakeSendRequest(flags, kNow, kNoInput)->payload(), "from a file");
  std::ofstream(flags.payload_file) << "";
  EXPECT_EQ(MakeSendRequest(flags, kNow, kNoInput)->payload(), "");

  flags.payload_file = "/nonexistent";
  const absl::Status missing = MakeSendRequest(flags, kNow, kNoInput).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(missing.message().find("/nonexistent"), absl::string_view::npos);
}

TEST(MakeSendRequestTest, WhatCantBeReadIsNoEmptyPayload) {
  SendFlags flags;
  flags.payload_file = testing::TempDir();
  const absl::Status directory = MakeSendRequest(flags, kNow, kNoInput).status();
  EXPECT_EQ(directory.code(), absl::StatusCode::kUnavailable) << directory;
  EXPECT_NE(directory.message().find(flags.payload_file), absl::string_view::npos) << directory;

  const absl::Status closed = MakeSendRequest(SendFlags(), kNow, /*standard_input=*/-1).status();
  EXPECT_EQ(closed.code(), absl::StatusCode::kUnavailable) << closed;
  EXPECT_NE(closed.message().find("standard input"), absl::string_view::npos) << closed;
}

TEST(MakeSendRequestTest, ATimeFromNowAndAMessageIdDontGoTogether) {
  SendFlags flags;
  flags.has_text = true;
  flags.deliver_at = "+10m";
  EXPECT_TRUE(MakeSendRequest(flags, kNow, kNoInput).ok());
  flags.message_id = "00000000-0000-4000-8000-000000000000";
  EXPECT_EQ(MakeSendRequest(flags, kNow, kNoInput).status().code(),
            absl::StatusCode::kInvalidArgument);
  flags.deliver_at = "2027-01-15T08:00:00Z";
  EXPECT_TRUE(MakeSendRequest(flags, kNow, kNoInput).ok());
}

TEST(MakeSendRequestTest, ReadsNoMoreThanTheServerNeedsToRefuse) {
  const Input endless(std::string(100'000, 'x'));
  EXPECT_EQ(MakeSendRequest(SendFlags(), kNow, endless.fd())->payload().size(),
            kMaxPayloadBytes + 1);
}

}  // namespace
}  // namespace bellwire::cli
