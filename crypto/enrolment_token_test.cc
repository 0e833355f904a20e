#include "crypto/enrolment_token.h"

#include <string>

#include "gtest/gtest.h"

namespace bellwire {
namespace {

TEST(EnrolmentTokenTest, NamesItsEnrolmentAndMatchesItsHashOnly) {
  const std::string token = NewEnrolmentToken("abcdefgh23");
  EXPECT_EQ(token.size(), kEnrolmentTokenChars);
  EXPECT_EQ(IdOfEnrolmentToken(token), "abcdefgh23");
  const std::string hash = HashEnrolmentToken(token);
  EXPECT_EQ(hash.size(), 32u);
  EXPECT_TRUE(EnrolmentTokenMatches(token, hash));
  std::string other = token;
  other.back() = other.back() == 'a' ? 'b' : 'a';
  EXPECT_FALSE(EnrolmentTokenMatches(other, hash));
  EXPECT_FALSE(EnrolmentTokenMatches(token, hash.substr(1)));
  EXPECT_FALSE(EnrolmentTokenMatches(token, ""));
  EXPECT_NE(NewEnrolmentToken("abcdefgh23"), token);
}

TEST(EnrolmentTokenTest, AnythingElseIsNone) {
  const std::string token = NewEnrolmentToken("abcdefgh23");
  EXPECT_FALSE(IdOfEnrolmentToken("").has_value());
  EXPECT_FALSE(IdOfEnrolmentToken(token.substr(1)).has_value());
  EXPECT_FALSE(IdOfEnrolmentToken(token + "a").has_value());
  EXPECT_FALSE(IdOfEnrolmentToken("bw_" + token.substr(3)).has_value()) << "an access token";
  for (const char bad : {'A', '1', ' ', '\n', '\0', '\xff'}) {
    std::string broken = token;
    broken[20] = bad;
    EXPECT_FALSE(IdOfEnrolmentToken(broken).has_value()) << static_cast<int>(bad);
  }
}

}  // namespace
}  // namespace bellwire
