#include "gateway/auth/bearer_token.h"

#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

TEST(BearerTokenTest, FindsTheCredential) {
  EXPECT_EQ(*BearerToken({{"user-agent", "x"}, {"authorization", "Bearer a.b.c"}}), "a.b.c");
  EXPECT_EQ(*BearerToken({{"authorization", "bearer a.b.c"}}), "a.b.c");
  EXPECT_EQ(*BearerToken({{"authorization", "Bearer "}}), "");
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
