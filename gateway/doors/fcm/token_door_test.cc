#include "gateway/doors/fcm/token_door.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "crypto/provider_key.h"
#include "gateway/doors/http/testing/h2_harness.h"
#include "gateway/testing/jwt_for_testing.h"
#include "gateway/testing/test_send_path.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway::fcm {
namespace {

using http::H2Harness;
using http::H2TestClient;
using http::PostFields;
using nlohmann::json;

class TokenDoorTest : public ::testing::Test {
 protected:
  std::string Form(absl::string_view kid = TestSendPath::kFcmKeyId) {
    const std::string jwt = SignJwtForTesting(
        {.algorithm = "RS256",
         .key_id = std::string(kid),
         .team_id = absl::StrCat(kid, "@", TestSendPath::kTeam, ".bellwire.internal"),
         .issued_at = path_.clock.WallNow(),
         .extra_claims_json =
             absl::StrCat(R"({"aud":"https://oauth2.googleapis.com/token","scope":)"
                          R"("https://www.googleapis.com/auth/firebase.messaging","exp":)",
                          absl::ToUnixSeconds(path_.clock.WallNow() + absl::Hours(1)), "}")},
        TestSendPath::FcmKey().private_key_pem);
    return absl::StrCat(
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=", jwt);
  }
  H2TestClient::Response Post(absl::string_view path, const std::string& body) {
    const int32_t stream = harness_.client.Request(PostFields(path), body);
    harness_.Run();
    return harness_.client.response(stream);
  }

  TestSendPath path_;
  FcmCredentials credentials_{{.keys = &path_.keys,
                               .authenticator = &path_.authenticator,
                               .sealer = path_.sealer.get(),
                               .clock = &path_.clock}};
  TokenDoor door_{&credentials_};
  H2Harness harness_{std::vector<http::Door*>{&door_}};
};

TEST_F(TokenDoorTest, GivesAnAccessTokenAtEachPath) {
  for (const char* path : {"/oauth2/token", "/token", "/oauth2/v4/token"}) {
    const H2TestClient::Response answer = Post(path, Form());
    EXPECT_EQ(answer.Get(":status"), "200") << answer.body;
    EXPECT_EQ(answer.Get("cache-control"), "no-store");
    const json body = json::parse(answer.body);
    EXPECT_EQ(body["token_type"], "Bearer");
    EXPECT_EQ(body["expires_in"], 3600);
    EXPECT_EQ(body["access_token"].get<std::string>().substr(0, 4), "bwf_");
  }
}

TEST_F(TokenDoorTest, EveryErrorIsJson) {
  H2TestClient::Response answer = Post("/token", Form("aaaaaaaaaa"));
  EXPECT_EQ(answer.Get(":status"), "400");
  EXPECT_EQ(json::parse(answer.body)["error"], "invalid_grant");
  answer = Post("/token", "grant_type=password");
  EXPECT_EQ(json::parse(answer.body)["error"], "unsupported_grant_type");
  answer = Post("/token", std::string(9000, 'x'));
  EXPECT_EQ(answer.Get(":status"), "400");
  EXPECT_EQ(json::parse(answer.body)["error"], "invalid_request");
  const int32_t stream = harness_.client.Request(http::GetFields("/oauth2/token"));
  harness_.Run();
  EXPECT_EQ(harness_.client.response(stream).Get(":status"), "405");
  EXPECT_EQ(harness_.client.response(stream).Get("allow"), "POST");
}

}  // namespace
}  // namespace bellwire::gateway::fcm
