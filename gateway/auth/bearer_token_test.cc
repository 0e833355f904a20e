#include "gateway/auth/bearer_token.h"

#include <string>

#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

using Metadata = http::HeaderList;

std::string Found(const Metadata& metadata) { return std::string(*BearerToken(metadata)); }

TEST(BearerTokenTest, FindsTheCredential) {
  EXPECT_EQ(Found({{"user-agent", "x"}, {"authorization", "Bearer a.b.c"}}), "a.b.c");
  EXPECT_EQ(Found({{"authorization", "bearer a.b.c"}}), "a.b.c");
  EXPECT_EQ(Found({{"authorization", "Bearer "}}), "");
}

TEST(BearerTokenTest, SaysWhatIsWrong) {
  EXPECT_EQ(ErrorReason(BearerToken(Metadata()).status()), "MISSING_CREDENTIAL");
  for (const Metadata& metadata :
       {Metadata{{"authorization", "Basic abc"}}, Metadata{{"authorization", ""}},
        Metadata{{"authorization", "Bearer"}},
        Metadata{{"authorization", "Bearer a"}, {"authorization", "Bearer b"}}}) {
    const absl::Status status = BearerToken(metadata).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
    EXPECT_EQ(ErrorReason(status), "BAD_CREDENTIAL");
  }
}

}  // namespace
}  // namespace bellwire::gateway
