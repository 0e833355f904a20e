#include "common/ids.h"

#include <set>

#include "gtest/gtest.h"

namespace bellwire {
namespace {

TEST(UuidTest, FormatAndParseAreInverse) {
  const MessageId id = NewMessageId();
  EXPECT_EQ(ParseUuid(FormatUuid(id)), id);
  EXPECT_EQ(FormatUuid(*ParseUuid("123E4567-e89b-42d3-a456-426614174000")),
            "123e4567-e89b-42d3-a456-426614174000");
}

TEST(UuidTest, RefusesEverythingElse) {
  EXPECT_FALSE(ParseUuid(""));
  EXPECT_FALSE(ParseUuid("123e4567-e89b-42d3-a456-42661417400"));
  EXPECT_FALSE(ParseUuid("123e4567-e89b-42d3-a456-4266141740000"));
  EXPECT_FALSE(ParseUuid("123e4567+e89b-42d3-a456-426614174000"));
  EXPECT_FALSE(ParseUuid("g23e4567-e89b-42d3-a456-426614174000"));
  EXPECT_FALSE(ParseUuid("123e4567-e89b-42d3-a456-42661417400\xff"));
}

TEST(UuidTest, NewIdsAreVersion4AndDiffer) {
  std::set<MessageId> seen;
  for (int i = 0; i < 100; ++i) {
    const MessageId id = NewMessageId();
    EXPECT_EQ(FormatUuid(id)[14], '4');
    EXPECT_TRUE(seen.insert(id).second);
  }
}

TEST(DeviceIdTest, Hex) {
  const auto id = DeviceIdFromHex("000102030405060708090a0b0c0d0e0f");
  ASSERT_TRUE(id);
  EXPECT_EQ(ToHex(*id), "000102030405060708090a0b0c0d0e0f");
  EXPECT_FALSE(DeviceIdFromHex("00"));
  EXPECT_FALSE(DeviceIdFromHex("zz0102030405060708090a0b0c0d0e0f"));
  EXPECT_FALSE(DeviceId::FromBytes("short"));
}

TEST(AppIdTest, ReverseDomainNamesOnly) {
  EXPECT_TRUE(IsValidAppId("com.example.mail"));
  EXPECT_TRUE(IsValidAppId("a.b"));
  EXPECT_TRUE(IsValidAppId("org.Some_App-2.x"));
  EXPECT_FALSE(IsValidAppId(""));
  EXPECT_FALSE(IsValidAppId("mail"));
  EXPECT_FALSE(IsValidAppId(".com.example"));
  EXPECT_FALSE(IsValidAppId("com.example."));
  EXPECT_FALSE(IsValidAppId("com..example"));
  EXPECT_FALSE(IsValidAppId("com.exa mple"));
  EXPECT_FALSE(IsValidAppId("com.ex\xc3\xa4mple"));
  EXPECT_FALSE(IsValidAppId("a." + std::string(200, 'b')));
}

TEST(AliasTest, LowerCaseLettersDigitsAndTwoMarks) {
  for (const char* name : {"a", "phone-2", "_", "0"}) EXPECT_TRUE(IsValidAlias(name)) << name;
  EXPECT_TRUE(IsValidAlias(std::string(64, 'a')));
  EXPECT_FALSE(IsValidAlias(std::string(65, 'a')));
  for (const char* name : {"", "A", "a/b", "a.b", "a b", "\xc3\xa4"}) {
    EXPECT_FALSE(IsValidAlias(name)) << name;
  }
}

}  // namespace
}  // namespace bellwire
