#include "gateway/doors/grpc/message_codec.h"

#include <zlib.h>

#include <string>

#include "bellwire/push/v1/push.pb.h"
#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

constexpr size_t kMax = 1000;

std::string Deflate(absl::string_view bytes, int window_bits) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, bytes.size()) + 100, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}
std::string Gzip(absl::string_view bytes) { return Deflate(bytes, 15 + 16); }

TEST(MessageCodecTest, WhatIsAppendedIsParsed) {
  push::v1::SendRequest request;
  request.set_payload(std::string(300, 'x'));
  std::string out = "before";
  AppendMessage(request, &out);
  const absl::string_view framed = absl::string_view(out).substr(6);
  const auto prefix = ParseMessagePrefix(framed, MessageEncoding::kIdentity, kMax);
  ASSERT_TRUE(prefix.ok()) << prefix.status();
  EXPECT_FALSE(prefix->compressed);
  EXPECT_EQ(prefix->bytes, framed.size() - kMessagePrefixBytes);
  push::v1::SendRequest parsed;
  ASSERT_TRUE(
      parsed.ParseFromArray(framed.data() + kMessagePrefixBytes, static_cast<int>(prefix->bytes)));
  EXPECT_EQ(parsed.payload(), request.payload());
}

TEST(MessageCodecTest, ASizeIsCheckedBeforeThereIsAByteOfIt) {
  const std::string largest("\0\0\0\x03\xe8", 5);
  EXPECT_EQ(ParseMessagePrefix(largest, MessageEncoding::kIdentity, kMax)->bytes, kMax);
  for (const std::string& prefix :
       {std::string("\0\0\0\x03\xe9", 5), std::string("\0\xff\xff\xff\xff", 5)}) {
    const absl::Status status =
        ParseMessagePrefix(prefix, MessageEncoding::kIdentity, kMax).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    EXPECT_EQ(ErrorReason(status), "MESSAGE_TOO_LARGE");
  }
}

TEST(MessageCodecTest, FlagsThatMeanNothingAreRefused) {
  const std::string compressed("\x01\0\0\0\x01", 5);
  EXPECT_TRUE(ParseMessagePrefix(compressed, MessageEncoding::kGzip, kMax)->compressed);
  const absl::Status status =
      ParseMessagePrefix(compressed, MessageEncoding::kIdentity, kMax).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(ErrorReason(status), "MALFORMED_MESSAGE");
  EXPECT_EQ(ParseMessagePrefix(std::string("\x02\0\0\0\x01", 5), MessageEncoding::kGzip, kMax)
                .status()
                .code(),
            absl::StatusCode::kInternal);
}

TEST(MessageCodecTest, InflatesBothEncodings) {
  const std::string text(kMax, 'x');
  EXPECT_EQ(*Inflate(Gzip(text), MessageEncoding::kGzip, kMax), text);
  EXPECT_EQ(*Inflate(Deflate(text, 15), MessageEncoding::kDeflate, kMax), text);
  EXPECT_EQ(*Inflate(Gzip(""), MessageEncoding::kGzip, kMax), "");
}

TEST(MessageCodecTest, ABombIsNotInflated) {
  const std::string bomb = Gzip(std::string(64 * 1024 * 1024, '\0'));
  ASSERT_LT(bomb.size(), 70'000u);
  const auto inflated = Inflate(bomb, MessageEncoding::kGzip, kMax);
  EXPECT_EQ(inflated.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorReason(inflated.status()), "MESSAGE_TOO_LARGE");
  EXPECT_FALSE(Inflate(Gzip(std::string(kMax + 1, 'x')), MessageEncoding::kGzip, kMax).ok());
}

TEST(MessageCodecTest, RefusesWhatIsNoCompressedMessage) {
  const std::string good = Gzip("hello");
  for (const std::string& bad : {std::string(), std::string("hello"),
                                 good.substr(0, good.size() - 1), good + "x", good.substr(1)}) {
    EXPECT_EQ(Inflate(bad, MessageEncoding::kGzip, kMax).status().code(),
              absl::StatusCode::kInternal);
  }
}

TEST(MessageCodecTest, KnowsItsEncodings) {
  EXPECT_EQ(ParseMessageEncoding("identity"), MessageEncoding::kIdentity);
  EXPECT_EQ(ParseMessageEncoding("gzip"), MessageEncoding::kGzip);
  EXPECT_EQ(ParseMessageEncoding("deflate"), MessageEncoding::kDeflate);
  EXPECT_EQ(ParseMessageEncoding("snappy"), std::nullopt);
  EXPECT_EQ(ParseMessageEncoding(""), std::nullopt);
}

}  // namespace
}  // namespace bellwire::gateway
