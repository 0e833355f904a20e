#include "gateway/admin/admin_credential.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

constexpr char kToken[] = "the admin token";

TEST(AdminCredentialTest, TakesTheTokenAndNothingElse) {
  SimulatedClock clock;
  AdminCredential credential(kToken, &clock);
  EXPECT_TRUE(credential.Check(kToken, "peer").ok());
  for (const char* wrong : {"", "the admin tokem", "the admin token ", "the admin toke"}) {
    const absl::Status status = credential.Check(wrong, "peer").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << wrong;
    EXPECT_EQ(ErrorReason(status), "BAD_CREDENTIAL") << wrong;
  }
}

TEST(AdminCredentialTest, BrakesWhoGuessesAndNeverTheAdministrator) {
  SimulatedClock clock;
  AdminCredential credential(kToken, &clock);
  const auto reason = [&](int i) {
    return ErrorReason(credential.Check(absl::StrCat("guess ", i), "peer").status());
  };
  for (size_t i = 0; i < kMaxWrongAdminTokens; ++i) EXPECT_EQ(reason(i), "BAD_CREDENTIAL");
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(reason(i), "TOO_MANY_ATTEMPTS");
    EXPECT_TRUE(credential.Check(kToken, "peer").ok());
  }
  const absl::Status braked = credential.Check("guess", "peer").status();
  EXPECT_EQ(braked.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RetryAfter(braked), kWrongAdminTokenInterval);

  clock.Advance(kWrongAdminTokenInterval);
  EXPECT_EQ(reason(0), "BAD_CREDENTIAL");
  EXPECT_EQ(reason(0), "TOO_MANY_ATTEMPTS");
  // However long nobody tried, there are no more at once than at first.
  clock.Advance(absl::Hours(24));
  for (size_t i = 0; i < kMaxWrongAdminTokens; ++i) EXPECT_EQ(reason(i), "BAD_CREDENTIAL");
  EXPECT_EQ(reason(0), "TOO_MANY_ATTEMPTS");
}

}  // namespace
}  // namespace bellwire::gateway
