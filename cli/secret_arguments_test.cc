#include "cli/secret_arguments.h"

#include <deque>
#include <string>
#include <vector>

#include "crypto/token_sealer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

using ::testing::ElementsAre;

class SecretArgumentsTest : public testing::Test {
 protected:
  void Take(std::vector<std::string> arguments) {
    memory_.assign(arguments.begin(), arguments.end());
    for (std::string& argument : memory_) argv_.push_back(argument.data());
    taken_ = TakeArguments(static_cast<int>(argv_.size()), argv_.data(), {"--token", "--text"});
  }
  // What `ps` shows.
  std::vector<std::string> Shown() const {
    return std::vector<std::string>(argv_.begin(), argv_.end());
  }

  std::deque<std::string> memory_;
  std::vector<char*> argv_;
  std::vector<std::string> taken_;
};

TEST_F(SecretArgumentsTest, ValuesAreTakenAndHidden) {
  Take({"bellwire", "send", "--token", "00c0ffee", "--text=You have mail", "--ttl", "1h"});
  EXPECT_THAT(taken_, ElementsAre("bellwire", "send", "--token", "00c0ffee", "--text=You have mail",
                                  "--ttl", "1h"));
  EXPECT_THAT(Shown(), ElementsAre("bellwire", "send", "--token", "*", "--text=*", "--ttl", "1h"));
  // Nothing is left behind the shown text either.
  for (const std::string& argument : memory_) {
    EXPECT_EQ(argument.find("c0ffee"), std::string::npos);
    EXPECT_EQ(argument.find("mail"), std::string::npos);
  }
}

TEST_F(SecretArgumentsTest, WhatIsMissingOrEmptyIsLeft) {
  Take({"bellwire", "send", "--text", "", "--token"});
  EXPECT_THAT(taken_, ElementsAre("bellwire", "send", "--text", "", "--token"));
  EXPECT_THAT(Shown(), ElementsAre("bellwire", "send", "--text", "", "--token"));
}

TEST_F(SecretArgumentsTest, TokensAreHiddenWhereverTheyStand) {
  const std::string token(TokenSealer::kTokenChars, 'a');
  const std::string short_token(TokenSealer::kShortTokenChars, '7');
  Take({"bellwire", "topic", "subscribe", "news", token, short_token, "e1.a.b.c", "bw_x"});
  EXPECT_THAT(taken_, ElementsAre("bellwire", "topic", "subscribe", "news", token, short_token,
                                  "e1.a.b.c", "bw_x"));
  EXPECT_THAT(Shown(), ElementsAre("bellwire", "topic", "subscribe", "news", "*", "*", "*", "*"));
}

TEST_F(SecretArgumentsTest, WhatIsNoTokenIsShown) {
  const std::string digest(64, 'a');
  const std::string upper(TokenSealer::kTokenChars, 'A');
  Take({"bellwire", digest, upper, "e1", "bw"});
  EXPECT_THAT(Shown(), ElementsAre("bellwire", digest, upper, "e1", "bw"));
}

TEST_F(SecretArgumentsTest, OtherFlagsAreShown) {
  Take({"bellwire", "list", "--tokens_file", "f", "--texture=x"});
  EXPECT_THAT(Shown(), ElementsAre("bellwire", "list", "--tokens_file", "f", "--texture=x"));
}

}  // namespace
}  // namespace bellwire::cli
