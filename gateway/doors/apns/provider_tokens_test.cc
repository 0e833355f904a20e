#include "gateway/doors/apns/provider_tokens.h"

#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::gateway::apns {
namespace {

class ProviderTokensTest : public ::testing::Test {
 protected:
  // As many new ones as a period may have.
  void UseUp(absl::string_view team, absl::string_view prefix) {
    for (size_t i = 0; i < kMaxProviderTokensPerPeriod; ++i) {
      EXPECT_EQ(tokens_.Refuse(team, absl::StrCat(prefix, i)), std::nullopt) << i;
    }
  }

  SimulatedClock clock_;
  ProviderTokens tokens_{&clock_};
};

TEST_F(ProviderTokensTest, OneTokenIsUsedAsOftenAsItsHolderLikes) {
  for (size_t i = 0; i < 3 * kMaxProviderTokensPerPeriod; ++i) {
    EXPECT_EQ(tokens_.Refuse("team", "jwt"), std::nullopt);
  }
}

TEST_F(ProviderTokensTest, WhoMakesOneForEachMessageIsToldWhenToComeBack) {
  UseUp("team", "a");
  clock_.Advance(absl::Minutes(5));
  EXPECT_EQ(tokens_.Refuse("team", "one more"), absl::Minutes(15));
  EXPECT_EQ(tokens_.Refuse("team", "a7"), std::nullopt) << "those that are known stay good";
  EXPECT_EQ(tokens_.Refuse("other", "one more"), std::nullopt) << "each team counts by itself";
  clock_.Advance(absl::Minutes(15));
  EXPECT_EQ(tokens_.Refuse("team", "one more"), std::nullopt);
}

TEST_F(ProviderTokensTest, AFullFleetChangesItsTokensInEveryPeriod) {
  for (int period = 0; period < 10; ++period) {
    UseUp("team", absl::StrCat("period ", period, " "));
    EXPECT_NE(tokens_.Refuse("team", "one more"), std::nullopt);
    clock_.Advance(kProviderTokenPeriod);
  }
}

// Or a backend that changes its tokens for years would fill the memory.
TEST_F(ProviderTokensTest, WhatHasExpiredIsForgotten) {
  UseUp("team", "a");
  clock_.Advance(kMaxJwtAge + kMaxJwtClockSkew);
  UseUp("team", "b");
  EXPECT_NE(tokens_.Refuse("team", "a0"), std::nullopt) << "as one that never came";
}

}  // namespace
}  // namespace bellwire::gateway::apns
