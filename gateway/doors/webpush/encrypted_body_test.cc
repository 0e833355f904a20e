#include "gateway/doors/webpush/encrypted_body.h"

#include <string>

#include "absl/strings/escaping.h"
#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire::webpush {
namespace {

using internal::v1::Content;

// RFC 8291, appendix A (5).
std::string RfcBody() {
  std::string body;
  EXPECT_TRUE(absl::WebSafeBase64Unescape(
      "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS"
      "6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qu"
      "lcy4a-fN",
      &body));
  return body;
}

std::string WhyNot(const http::HeaderList& headers, absl::string_view body) {
  return ErrorReason(ContentOf(headers, body).status());
}

TEST(EncryptedBodyTest, TheExampleOfTheRfc) {
  const absl::StatusOr<Content> content =
      ContentOf({{"content-encoding", "aes128gcm"}, {"ttl", "10"}}, RfcBody());
  ASSERT_TRUE(content.ok()) << content.status();
  EXPECT_EQ(content->door(), Content::WEB_PUSH);
  EXPECT_EQ(content->encoding(), "aes128gcm");
  EXPECT_EQ(content->encryption(), "");
  // The older VAPID beside it.
  EXPECT_TRUE(
      ContentOf({{"content-encoding", "AES128GCM"}, {"crypto-key", "p256ecdsa=BA"}}, RfcBody())
          .ok());
}

TEST(EncryptedBodyTest, TheFramingIsOneRecord) {
  const std::string body = RfcBody();
  EXPECT_TRUE(CheckAes128gcm(body).ok());
  // Each cut that leaves no text and tag.
  for (size_t size = 0; size < kAes128gcmOverhead; ++size) {
    EXPECT_FALSE(CheckAes128gcm(body.substr(0, size)).ok()) << size;
  }
  EXPECT_TRUE(CheckAes128gcm(body.substr(0, kAes128gcmOverhead)).ok());
  const auto with = [&](size_t at, char byte) {
    std::string changed = body;
    changed[at] = byte;
    return CheckAes128gcm(changed).ok();
  };
  EXPECT_FALSE(with(20, 64)) << "another length of the key id";
  EXPECT_FALSE(with(20, '\xff'));
  EXPECT_FALSE(with(21, '\x02')) << "a compressed key";
  EXPECT_FALSE(with(18, 0)) << "a record size of 0";
  std::string small = body;
  small[18] = 0;
  small[19] = static_cast<char>(body.size() - 86);
  EXPECT_TRUE(CheckAes128gcm(small).ok()) << "as long as the record may be";
  --small[19];
  EXPECT_FALSE(CheckAes128gcm(small).ok()) << "a second record";
}

TEST(EncryptedBodyTest, TheOlderEncodingHasItsFields) {
  const http::HeaderList headers = {
      {"content-encoding", "aesgcm"},
      {"encryption", "salt=lngarbyKfMoi9Z75xYXmkg"},
      {"crypto-key", "dh=BNoRDbb84JGm8g5Z5CFxurSqsXWJ11ItfXEWYVLE85Y7"}};
  const absl::StatusOr<Content> content = ContentOf(headers, std::string(18, 'x'));
  ASSERT_TRUE(content.ok()) << content.status();
  EXPECT_EQ(content->encoding(), "aesgcm");
  EXPECT_EQ(content->encryption(), headers[1].value);
  EXPECT_EQ(content->crypto_key(), headers[2].value);
  EXPECT_EQ(WhyNot(headers, std::string(17, 'x')), "BAD_ENCRYPTION");
  EXPECT_EQ(WhyNot({headers[0], headers[1]}, std::string(18, 'x')), "BAD_ENCRYPTION");
  EXPECT_EQ(WhyNot({headers[0], headers[2]}, std::string(18, 'x')), "BAD_ENCRYPTION");
  EXPECT_EQ(
      WhyNot({headers[0], {"encryption", "salt=" + std::string(kMaxFieldBytes, 'x')}, headers[2]},
             std::string(18, 'x')),
      "BAD_ENCRYPTION");
}

TEST(EncryptedBodyTest, WhatNoUserAgentCouldRead) {
  EXPECT_EQ(WhyNot({}, "plain"), "BAD_ENCRYPTION");
  EXPECT_EQ(WhyNot({{"content-encoding", "gzip"}}, RfcBody()), "BAD_ENCRYPTION");
  EXPECT_EQ(WhyNot({{"content-encoding", "aes128gcm"}, {"encryption", "salt=a"}}, RfcBody()),
            "BAD_ENCRYPTION");
  EXPECT_EQ(WhyNot({{"content-encoding", "aes128gcm"}, {"crypto-key", "keyid=a;dh=b"}}, RfcBody()),
            "BAD_ENCRYPTION");
}

TEST(EncryptedBodyTest, AnEmptyBodyNeedsNothing) {
  EXPECT_EQ(ContentOf({}, "")->encoding(), "");
  EXPECT_EQ(ContentOf({{"content-encoding", "aes128gcm"}}, "")->encoding(), "");
}

}  // namespace
}  // namespace bellwire::webpush
