#include "crypto/token_sealer.h"

#include <sys/stat.h>

#include <bit>
#include <filesystem>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "crypto/file_util.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

using ::testing::HasSubstr;

DeviceId Device(uint8_t fill) {
  std::array<uint8_t, DeviceId::kSize> bytes;
  bytes.fill(fill);
  return DeviceId(bytes);
}

const TokenContents kContents{.device_id = Device(7),
                              .registration_id = 0x0123456789abcdef,
                              .app_tag = AppTag("com.example.mail")};

std::string KeyLine(int id, char digit) {
  return absl::StrCat(id, " ", std::string(2 * TokenSealer::kKeyBytes, digit), "\n");
}

class TokenSealerTest : public ::testing::Test {
 protected:
  TokenSealerTest() : path_(::testing::TempDir() + "/token.keys") {
    std::filesystem::remove(path_);
  }

  std::unique_ptr<TokenSealer> FromText(const std::string& text) {
    EXPECT_TRUE(ReplaceFileAtomically(path_, text, FileAccess::kPrivate).ok());
    auto sealer = TokenSealer::FromFile(path_);
    EXPECT_TRUE(sealer.ok()) << sealer.status();
    return *std::move(sealer);
  }

  absl::Status Refusal(const std::string& text) {
    EXPECT_TRUE(ReplaceFileAtomically(path_, text, FileAccess::kPrivate).ok());
    return TokenSealer::FromFile(path_).status();
  }

  const std::string path_;
};

TEST_F(TokenSealerTest, OpensWhatItSealed) {
  const auto sealer = TokenSealer::ForTesting();
  const std::string token = sealer->Seal(kContents);
  EXPECT_EQ(sealer->Open(token), kContents);
  EXPECT_EQ(sealer->Seal(kContents), token) << "a registration has one token";
}

// By which libraries know APNs' tokens.
TEST_F(TokenSealerTest, ATokenIs160LowerCaseHexDigits) {
  const std::string token = TokenSealer::ForTesting()->Seal(kContents);
  EXPECT_EQ(token.size(), 160u);
  EXPECT_LE(token.size(), kMaxTokenChars);
  EXPECT_EQ(token.find_first_not_of("0123456789abcdef"), std::string::npos);
}

TEST_F(TokenSealerTest, OneRegistrationHasAShortTokenToo) {
  const auto sealer = TokenSealer::ForTesting();
  const std::string token = sealer->SealShort(kContents);
  EXPECT_EQ(token.size(), 98u);
  EXPECT_EQ(sealer->Open(token), kContents);
  EXPECT_NE(token.substr(2, 32), sealer->Seal(kContents).substr(2, 32))
      << "who compares them must not see that they are one registration's";
}

TEST_F(TokenSealerTest, ASubscriptionsTokenStaysShort) {
  TokenContents subscription = kContents;
  subscription.app_tag = kSubscriptionTag;
  const auto sealer = TokenSealer::ForTesting();
  EXPECT_EQ(sealer->Seal(subscription), sealer->SealShort(subscription));
  EXPECT_EQ(sealer->Open(sealer->Seal(subscription)), subscription);
}

// RFC 5297's S2V and CTR with AES-256, computed by an independent implementation (Python
// cryptography's AESSIV): tokens out there must open in every later version.
TEST_F(TokenSealerTest, TheFormatStaysAsItIs) {
  const auto sealer = TokenSealer::ForTesting();
  EXPECT_EQ(sealer->Seal(kContents),
            "018112803f7413d0f5e09e4a1a2bac07acf8c88471a66ef100a6519466bff8b46ad469dfc81d7f31"
            "4531b4a7508f3b7d5f32a2171ba403cb35748dfe766790077c85f3b219c5bea01e1093f7becf961d");
  EXPECT_EQ(sealer->SealShort(kContents),
            "01c16663e16aeab314d3c403e4a464f1dc000cdcea3357a0ba"
            "0425ded7d54c3ac2ba2e75e338b5949d2d2fb02eab2d46ff");
}

// Sealed by the same implementation, the last zero being a one.
TEST_F(TokenSealerTest, WhatIsNotZeroBehindTheContentsIsRefused) {
  EXPECT_EQ(TokenSealer::ForTesting()->Open(
                "0198b09b85e796a314ed880b3719a37a01095d480cfbff3d7bab607206962b3f916f7e0471fe7294"
                "9b66834a03beaee02105e53db20213cebc39ea61f0d5bdbeeec247a3035d4606e43984e738c8eba6"),
            std::nullopt);
}

TEST_F(TokenSealerTest, EveryFlippedBitIsRefused) {
  const auto sealer = TokenSealer::ForTesting();
  for (const std::string& token : {sealer->Seal(kContents), sealer->SealShort(kContents)}) {
    const std::string raw = absl::HexStringToBytes(token);
    for (size_t bit = 0; bit < 8 * raw.size(); ++bit) {
      std::string forged = raw;
      forged[bit / 8] = static_cast<char>(forged[bit / 8] ^ (1 << bit % 8));
      EXPECT_EQ(sealer->Open(absl::BytesToHexString(forged)), std::nullopt) << "bit " << bit;
    }
  }
}

TEST_F(TokenSealerTest, EveryOtherLengthAndSpellingIsRefused) {
  const auto sealer = TokenSealer::ForTesting();
  const std::string token = sealer->Seal(kContents);
  for (size_t size = 0; size < token.size(); ++size) {
    EXPECT_EQ(sealer->Open(token.substr(0, size)), std::nullopt) << size;
  }
  EXPECT_EQ(sealer->Open(token + "0"), std::nullopt);
  EXPECT_EQ(sealer->Open(token + "00"), std::nullopt);
  EXPECT_EQ(sealer->Open(token + token), std::nullopt);
  EXPECT_EQ(sealer->Open(absl::AsciiStrToUpper(token)), std::nullopt);
  for (const char c : {'g', ' ', '/', ':', '@', '`', '\0', '\xff'}) {
    std::string odd = token;
    odd[20] = c;
    EXPECT_EQ(sealer->Open(odd), std::nullopt);
  }
}

TEST_F(TokenSealerTest, AnotherKeyOpensNothing) {
  const std::string token = FromText(KeyLine(1, 'a'))->Seal(kContents);
  EXPECT_EQ(FromText(KeyLine(1, 'b'))->Open(token), std::nullopt);
  // The same key under another id seals other tokens: the id is bound to the token.
  const auto renamed = FromText(KeyLine(2, 'a'));
  EXPECT_EQ(renamed->Open(token), std::nullopt);
  std::string relabelled = token;
  relabelled[1] = '2';
  EXPECT_EQ(renamed->Open(relabelled), std::nullopt);
}

// Two teams that compare their tokens learn nothing: tokens of one device differ as random ones do.
TEST_F(TokenSealerTest, TokensOfOneDeviceAreUnrelated) {
  const auto sealer = TokenSealer::ForTesting();
  std::set<std::string> seen;
  int total_distance = 0;
  constexpr int kTokens = 256;
  std::string previous = absl::HexStringToBytes(sealer->Seal(kContents));
  for (int i = 1; i <= kTokens; ++i) {
    TokenContents other = kContents;
    other.registration_id += static_cast<uint64_t>(i);
    const std::string raw = absl::HexStringToBytes(sealer->Seal(other));
    EXPECT_TRUE(seen.insert(raw.substr(1)).second);
    for (size_t j = 1; j < raw.size(); ++j) {  // Byte 0 is the key's id.
      total_distance += std::popcount(static_cast<uint8_t>(raw[j] ^ previous[j]));
    }
    previous = raw;
  }
  // 632 bits each: 316 differ on average; the mean of 256 has a standard deviation of 0.8.
  EXPECT_NEAR(static_cast<double>(total_distance) / kTokens, 316.0, 8.0);
}

TEST_F(TokenSealerTest, TheNewestKeySealsAndAllOpen) {
  ASSERT_TRUE(TokenSealer::CreateKeyFile(path_).ok());
  const auto before = TokenSealer::FromFile(path_).value();
  const std::string old_token = before->Seal(kContents);
  ASSERT_TRUE(TokenSealer::AddKey(path_).ok());
  const auto after = TokenSealer::FromFile(path_).value();
  const std::string new_token = after->Seal(kContents);

  EXPECT_NE(new_token, old_token);
  EXPECT_EQ(after->Open(old_token), kContents);
  EXPECT_EQ(after->Open(new_token), kContents);
  EXPECT_EQ(before->Open(new_token), std::nullopt);
}

TEST_F(TokenSealerTest, TheFingerprintChangesWithTheKeyThatSeals) {
  const uint64_t first = FromText(KeyLine(1, 'a'))->fingerprint();
  EXPECT_EQ(FromText(KeyLine(1, 'a') + KeyLine(2, 'b'))->fingerprint(), first);
  EXPECT_NE(FromText(KeyLine(2, 'b') + KeyLine(1, 'a'))->fingerprint(), first);
  EXPECT_NE(FromText(KeyLine(2, 'a'))->fingerprint(), first) << "tokens name the key's id";
}

// Or agents would not ask for their new token.
TEST_F(TokenSealerTest, TheFingerprintIsNotThatOfTheTimeOfShortTokens) {
  EXPECT_NE(TokenSealer::ForTesting()->fingerprint(), 0x814d2322be5d6cc6u);
}

TEST_F(TokenSealerTest, KeyIdsWrapAndTheNumberOfKeysIsBounded) {
  (void)FromText(KeyLine(254, 'a'));
  for (size_t n = 1; n < TokenSealer::kMaxKeys; ++n) {
    EXPECT_TRUE(TokenSealer::AddKey(path_).ok()) << n;
  }
  EXPECT_EQ(absl::HexStringToBytes(TokenSealer::FromFile(path_).value()->Seal(kContents))[0], 13);
  EXPECT_EQ(ErrorReason(TokenSealer::AddKey(path_)), "TOO_MANY_KEYS");

  std::string text;
  for (size_t n = 0; n <= TokenSealer::kMaxKeys; ++n) text += KeyLine(static_cast<int>(n), 'a');
  EXPECT_EQ(ErrorReason(Refusal(text)), "BAD_KEY_FILE");
}

TEST_F(TokenSealerTest, TheKeyFileIsPrivateAndNeverOverwritten) {
  ASSERT_TRUE(TokenSealer::CreateKeyFile(path_).ok());
  struct stat info;
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  EXPECT_EQ(ErrorReason(TokenSealer::CreateKeyFile(path_)), "FILE_EXISTS");

  ASSERT_EQ(chmod(path_.c_str(), 0640), 0);
  const auto refused = TokenSealer::FromFile(path_);
  EXPECT_EQ(ErrorReason(refused.status()), "FILE_NOT_PRIVATE");
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("chmod 600"));
}

TEST_F(TokenSealerTest, BadKeyFilesAreRefusedWithTheLine) {
  for (const std::string& text :
       {std::string("1\n"), std::string("1 abc\n"), KeyLine(256, 'a'), KeyLine(-1, 'a'),
        KeyLine(1, 'A'), "1 " + KeyLine(2, 'a'), KeyLine(1, 'g'), std::string("\0\0", 2)}) {
    const absl::Status status = Refusal("# comment\n" + text);
    EXPECT_EQ(ErrorReason(status), "BAD_KEY_FILE") << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("line 2"));
  }
  EXPECT_THAT(std::string(Refusal(KeyLine(1, 'a') + KeyLine(1, 'b')).message()),
              HasSubstr("line 2 repeats"));
  EXPECT_EQ(ErrorReason(Refusal("")), "BAD_KEY_FILE");
  EXPECT_EQ(ErrorReason(Refusal("# nothing\n\n")), "BAD_KEY_FILE");
  // Errors never quote what may be a key.
  EXPECT_EQ(Refusal("x " + std::string(128, 'a')).message().find("aaaa"), absl::string_view::npos);
  // Comments, blank lines, tabs and CRLF are fine.
  EXPECT_EQ(FromText("\n# c\r\n 1\t" + std::string(128, 'a') + " # newest\r\n")->Seal(kContents),
            FromText(KeyLine(1, 'a'))->Seal(kContents));
}

TEST(AppTagTest, IsTheHeadOfTheHash) {
  // sha256sum of "com.example.mail".
  EXPECT_EQ(AppTag("com.example.mail"), 0x9e2b99cfd6b2afc4u);
  EXPECT_NE(AppTag("com.example.mail"), AppTag("com.example.Mail"));
}

TEST_F(TokenSealerTest, AMessagesNameOpensAsThatAndAsNothingElse) {
  const auto sealer = TokenSealer::ForTesting();
  const MessageName name{.device_id = DeviceId(std::array<uint8_t, 16>{1, 2}),
                         .registration_id = 0x0102030405060708,
                         .message_id = MessageId(std::array<uint8_t, 16>{3, 4})};
  const std::string sealed = sealer->SealMessage(name);
  EXPECT_EQ(sealed.size(), TokenSealer::kMessageNameChars);
  EXPECT_EQ(sealer->OpenMessage(sealed), name);
  EXPECT_EQ(sealer->Open(sealed), std::nullopt);
  const std::string token =
      sealer->Seal({.device_id = name.device_id, .registration_id = name.registration_id});
  EXPECT_EQ(sealer->OpenMessage(token), std::nullopt);
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string forged = sealed;
    forged[i] = forged[i] == '0' ? '1' : '0';
    EXPECT_EQ(sealer->OpenMessage(forged), std::nullopt) << i;
  }
}

TEST_F(TokenSealerTest, AGrantIsNeitherATokenNorAMessage) {
  const std::unique_ptr<TokenSealer> sealer = TokenSealer::ForTesting();
  const AccessGrant grant{.key_id = "abcdefghij",
                          .expires_at = absl::FromUnixSeconds(1'767'225'600)};
  const std::string sealed = sealer->SealGrant(grant);
  EXPECT_EQ(sealed.size(), TokenSealer::kGrantChars);
  EXPECT_EQ(sealer->OpenGrant(sealed), grant);
  EXPECT_EQ(sealer->Open(sealed), std::nullopt);
  EXPECT_EQ(sealer->OpenMessage(sealed), std::nullopt);
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string forged = sealed;
    forged[i] = forged[i] == '0' ? '1' : '0';
    EXPECT_EQ(sealer->OpenGrant(forged), std::nullopt) << i;
  }
  EXPECT_EQ(sealer->OpenGrant(sealed.substr(2)), std::nullopt);
  EXPECT_EQ(sealer->OpenGrant(""), std::nullopt);
}

}  // namespace
}  // namespace bellwire
