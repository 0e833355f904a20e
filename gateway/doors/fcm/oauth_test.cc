#include "gateway/doors/fcm/oauth.h"

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gateway/doors/http/header_list.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway::fcm {
namespace {

constexpr char kGrant[] = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";

std::string Why(absl::string_view form) { return ErrorReason(ReadTokenRequest(form).status()); }

TEST(OauthTest, ReadsTheFormOfAnAssertion) {
  const auto assertion = ReadTokenRequest(absl::StrCat(kGrant, "&assertion=a.b-c_d.e"));
  ASSERT_TRUE(assertion.ok()) << assertion.status();
  EXPECT_EQ(*assertion, "a.b-c_d.e");
  EXPECT_TRUE(ReadTokenRequest(absl::StrCat("x=y&assertion=a&", kGrant)).ok());
}

TEST(OauthTest, RefusesEverythingElse) {
  EXPECT_EQ(Why(""), "INVALID_REQUEST");
  EXPECT_EQ(Why("{}"), "INVALID_REQUEST");
  EXPECT_EQ(Why("%"), "INVALID_REQUEST");
  EXPECT_EQ(Why(kGrant), "INVALID_REQUEST");
  EXPECT_EQ(Why("assertion=a"), "INVALID_REQUEST");
  EXPECT_EQ(Why("grant_type=refresh_token&refresh_token=x"), "UNSUPPORTED_GRANT_TYPE");
  // RFC 6749, 3.2: once.
  EXPECT_EQ(Why(absl::StrCat(kGrant, "&assertion=a&assertion=a")), "INVALID_REQUEST");
  EXPECT_EQ(Why(absl::StrCat(kGrant, "&", kGrant, "&assertion=a")), "INVALID_REQUEST");
}

TEST(OauthTest, AnAccessTokenIsNotToBeStored) {
  const http::Reply reply = AccessTokenReply("bwf_00ff", absl::Seconds(3599));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body,
            "{\"access_token\":\"bwf_00ff\",\"expires_in\":3599,\"token_type\":\"Bearer\"}\n");
  EXPECT_EQ(*http::FindHeader(reply.headers, "cache-control"), "no-store");
}

TEST(OauthTest, ErrorsAreOfRfc6749) {
  using absl::StatusCode;
  struct Case {
    StatusCode code;
    const char* reason;
    int status;
    const char* error;
  };
  for (const Case& c : std::initializer_list<Case>{
           {StatusCode::kUnauthenticated, "BAD_CREDENTIAL", 400, "invalid_grant"},
           {StatusCode::kInvalidArgument, "BAD_SCOPE", 400, "invalid_scope"},
           {StatusCode::kInvalidArgument, "INVALID_REQUEST", 400, "invalid_request"},
           {StatusCode::kInvalidArgument, "UNSUPPORTED_GRANT_TYPE", 400, "unsupported_grant_type"},
           {StatusCode::kUnimplemented, "METHOD_NOT_ALLOWED", 405, "invalid_request"},
           {StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE", 503, "temporarily_unavailable"},
           {StatusCode::kResourceExhausted, "OVERLOADED", 503, "temporarily_unavailable"},
           {StatusCode::kInternal, "INTERNAL", 500, "server_error"}}) {
    const http::Reply reply =
        OauthErrorReply(WithRetryAfter(MakeError(c.code, c.reason, "Why."), absl::Seconds(3)));
    EXPECT_EQ(reply.status, c.status) << c.reason;
    const auto body = nlohmann::json::parse(reply.body);
    EXPECT_EQ(body["error"], c.error);
    EXPECT_EQ(body["error_description"], "Why.");
    EXPECT_EQ(*http::FindHeader(reply.headers, "retry-after"), "3");
  }
}

}  // namespace
}  // namespace bellwire::gateway::fcm
