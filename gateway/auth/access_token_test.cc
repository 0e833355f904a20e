#include "gateway/auth/access_token.h"

#include <string>

#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

TEST(AccessTokenTest, NamesItsKey) {
  const std::string token = NewAccessToken("abcdefghij");
  EXPECT_EQ(token.size(), 45u);
  EXPECT_TRUE(LooksLikeAccessToken(token));
  EXPECT_EQ(KeyIdOfAccessToken(token), "abcdefghij");
  EXPECT_NE(NewAccessToken("abcdefghij"), token);
}

TEST(AccessTokenTest, OnlyItselfMatches) {
  std::string token = NewAccessToken("abcdefghij");
  const std::string hash = HashAccessToken(token);
  EXPECT_EQ(hash.size(), 32u);
  EXPECT_TRUE(AccessTokenMatches(token, hash));
  EXPECT_FALSE(AccessTokenMatches(token, ""));
  EXPECT_FALSE(AccessTokenMatches(token, hash.substr(1)));
  for (const size_t i : {size_t{0}, size_t{5}, token.size() - 1}) {
    std::string other = token;
    other[i] = other[i] == 'a' ? 'b' : 'a';
    EXPECT_FALSE(AccessTokenMatches(other, hash)) << i;
  }
}

TEST(AccessTokenTest, OtherFormsAreNone) {
  const std::string token = NewAccessToken("abcdefghij");
  for (const std::string& text :
       {std::string(), std::string("bw_"), token + "a", token.substr(0, 44), "x" + token.substr(1),
        token.substr(0, 44) + "1", token.substr(0, 44) + "A",
        std::string("eyJhbGciOiJFUzI1NiJ9")}) {
    EXPECT_EQ(KeyIdOfAccessToken(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace bellwire::gateway
