#include "crypto/encryption/encrypted_token.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/error.h"
#include "crypto/p256.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

// The keys are those of RFC 8291.
constexpr char kText[] =
    "e1.00c0ffee.BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNto"
    "IAiw4.BTBZMqHH6r4Tts7J_aSIgg";

TEST(EncryptedTokenTest, TheTextFormIsTheOneOfTheGuide) {
  const auto token = ParseEncryptedToken(kText);
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->token, "00c0ffee");
  EXPECT_EQ(token->recipient.public_key.size(), kP256PointBytes);
  EXPECT_EQ(token->recipient.auth_secret.size(), kAuthSecretBytes);
  EXPECT_EQ(FormatEncryptedToken(*token), kText);
}

TEST(EncryptedTokenTest, TheLongestOne) {
  EncryptedToken longest = *ParseEncryptedToken(kText);
  longest.token = std::string(kMaxTokenChars, 'f');
  const std::string text = FormatEncryptedToken(longest);
  EXPECT_EQ(text.size(), kMaxEncryptedTokenChars);
  EXPECT_EQ(*ParseEncryptedToken(text), longest);
}

TEST(EncryptedTokenTest, NothingElseIsOne) {
  const std::string text = kText;
  const std::string malformed[] = {
      "",
      "00c0ffee",
      text + ".",
      text + "A",
      text + "=",
      " " + text,
      absl::StrReplaceAll(text, {{"e1.", "e2."}}),
      absl::StrReplaceAll(text, {{"00c0ffee", ""}}),
      absl::StrReplaceAll(text, {{"00c0ffee", "00C0FFEE"}}),
      absl::StrReplaceAll(text, {{"00c0ffee", std::string(kMaxTokenChars + 1, 'f')}}),
      // Not on the curve.
      absl::StrReplaceAll(text, {{"oIAiw4", "oIAAAA"}}),
      // Spare bits that are not 0: another spelling of the same bytes.
      absl::StrReplaceAll(text, {{"aSIgg", "aSIgh"}}),
      text.substr(0, text.size() - 2),
  };
  for (const std::string& one : malformed) {
    const auto token = ParseEncryptedToken(one);
    EXPECT_EQ(ErrorReason(token.status()), "BAD_ENCRYPTED_TOKEN") << one;
    if (!one.empty()) {
      EXPECT_EQ(std::string(token.status().message()).find(one), std::string::npos)
          << "it is a secret";
    }
  }
}

TEST(EncryptedTokenTest, APayloadIsMarked) {
  const auto key = GenerateP256Key();
  const EncryptedToken token{"00c0ffee", {PointOf(key->get()), std::string(kAuthSecretBytes, 'a')}};
  const std::string longest(kMaxEncryptedTextBytes, 'x');
  const auto payload = EncryptPayload(token, longest);
  ASSERT_TRUE(payload.ok()) << payload.status();
  EXPECT_EQ(payload->size(), kMaxPayloadBytes);
  ASSERT_TRUE(IsEncryptedPayload(*payload));
  const auto text =
      DecryptAes128gcm(key->get(), token.recipient.auth_secret, BodyOfEncryptedPayload(*payload));
  EXPECT_EQ(text.value(), longest);
  EXPECT_EQ(ErrorReason(EncryptPayload(token, longest + "x").status()), "PAYLOAD_TOO_LARGE");
}

TEST(EncryptedTokenTest, NoTextIsTakenForAnEncryptedOne) {
  EXPECT_FALSE(IsEncryptedPayload(""));
  EXPECT_FALSE(
      IsEncryptedPayload("\xbe"
                         "bw"));
  EXPECT_FALSE(
      IsEncryptedPayload("\xbe"
                         "bw\x02 a later version"));
  EXPECT_FALSE(IsEncryptedPayload("bw\x01"));
}

}  // namespace
}  // namespace bellwire
