#include "gateway/doors/fcm/fcm_credential.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "crypto/provider_key.h"
#include "gateway/testing/jwt_for_testing.h"
#include "gateway/testing/test_send_path.h"
#include "gtest/gtest.h"

namespace bellwire::gateway::fcm {
namespace {

constexpr char kTeam[] = "teamteam22";
constexpr char kScope[] = "https://www.googleapis.com/auth/firebase.messaging";

// A good one, unless the test changes it.
struct Assertion {
  std::string algorithm = "RS256";
  std::string key = TestSendPath::FcmKey().private_key_pem;
  std::string kid = TestSendPath::kFcmKeyId;
  std::string iss = absl::StrCat(TestSendPath::kFcmKeyId, "@", kTeam, ".bellwire.internal");
  std::string aud = "https://push.example.com/oauth2/token";
  std::string scope = kScope;
  absl::Duration issued = absl::ZeroDuration();
  absl::Duration lifetime = absl::Hours(1);
};

class FcmCredentialTest : public ::testing::Test {
 protected:
  std::string Sign(const Assertion& a) {
    const absl::Time iat = path_.clock.WallNow() + a.issued;
    return SignJwtForTesting({.algorithm = a.algorithm,
                              .key_id = a.kid,
                              .team_id = a.iss,
                              .issued_at = iat,
                              .extra_claims_json = absl::StrCat(
                                  R"({"aud":")", a.aud, R"(","scope":")", a.scope, R"(","exp":)",
                                  absl::ToUnixSeconds(iat + a.lifetime), "}")},
                             a.key);
  }
  absl::StatusOr<FcmCredentials::AccessToken> Exchange(const std::string& assertion) {
    absl::StatusOr<FcmCredentials::AccessToken> answer;
    credentials_.Exchange(assertion, [&answer](absl::StatusOr<FcmCredentials::AccessToken> token) {
      answer = std::move(token);
    });
    return answer;
  }
  std::string WhyNot(const Assertion& assertion) {
    return ErrorReason(Exchange(Sign(assertion)).status());
  }
  absl::StatusOr<ProviderIdentity> Authenticate(const std::string& bearer,
                                                const std::string& project = kTeam) {
    absl::StatusOr<ProviderIdentity> answer;
    credentials_.Authenticate(
        {{"authorization", bearer}}, project,
        [&answer](absl::StatusOr<ProviderIdentity> identity) { answer = std::move(identity); });
    return answer;
  }
  std::string WhyRefused(const std::string& bearer, const std::string& project = kTeam) {
    return ErrorReason(Authenticate(bearer, project).status());
  }
  // What a good assertion is exchanged for, as `authorization` has it.
  std::string AccessBearer(const Assertion& assertion = {}) {
    return absl::StrCat("Bearer ", Exchange(Sign(assertion)).value().text);
  }

  TestSendPath path_;
  FcmCredentials credentials_{{.keys = &path_.keys,
                               .authenticator = &path_.authenticator,
                               .sealer = path_.sealer.get(),
                               .clock = &path_.clock,
                               .public_urls = *PublicUrls::Parse({"https://push.example.com"})}};
};

TEST_F(FcmCredentialTest, AnAssertionIsExchangedForATokenThatSaysWhoCalls) {
  const auto token = Exchange(Sign({}));
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->lifetime, absl::Hours(1));
  const auto identity = Authenticate(absl::StrCat("Bearer ", token->text));
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->team_id, kTeam);
  EXPECT_FALSE(identity->send_only);
}

TEST_F(FcmCredentialTest, ClientsDifferInKidAudienceAndScope) {
  EXPECT_TRUE(Exchange(Sign({.kid = ""})).ok());
  EXPECT_TRUE(Exchange(Sign({.kid = "", .aud = "https://oauth2.googleapis.com/token"})).ok());
  EXPECT_TRUE(
      Exchange(Sign({.scope = absl::StrCat("https://www.googleapis.com/auth/userinfo.email ",
                                           "https://www.googleapis.com/auth/cloud-platform")}))
          .ok());
}

TEST_F(FcmCredentialTest, NoOtherAlgorithmIsTaken) {
  // An attacker knows the public key: with HS256 it would be the secret.
  EXPECT_EQ(WhyNot({.algorithm = "HS256", .key = TestSendPath::FcmKey().public_key_pem}),
            "BAD_CREDENTIAL");
  EXPECT_EQ(WhyNot({.algorithm = "none", .key = ""}), "BAD_CREDENTIAL");
  EXPECT_EQ(WhyNot({.algorithm = "ES256", .key = path_.key.private_key_pem}), "BAD_CREDENTIAL");
  EXPECT_EQ(WhyNot({.algorithm = "RS512"}), "BAD_CREDENTIAL");
}

TEST_F(FcmCredentialTest, ASigningKeyIsNoServiceAccountAndTheOtherWayRound) {
  // The team's P-256 key, in its own algorithm.
  const std::string iss = absl::StrCat(TestSendPath::kKeyId, "@", kTeam, ".bellwire.internal");
  EXPECT_EQ(WhyNot({.algorithm = "ES256",
                    .key = path_.key.private_key_pem,
                    .kid = TestSendPath::kKeyId,
                    .iss = iss}),
            "BAD_CREDENTIAL");
  // Signed by the service account, but naming the signing key.
  EXPECT_EQ(WhyNot({.kid = TestSendPath::kKeyId, .iss = iss}), "BAD_CREDENTIAL");
  EXPECT_EQ(WhyNot({.kid = "", .iss = iss}), "BAD_CREDENTIAL");
  // A JWT by the service account is none of PushService's.
  const std::string jwt = SignJwtForTesting({.algorithm = "RS256",
                                             .key_id = TestSendPath::kFcmKeyId,
                                             .team_id = kTeam,
                                             .issued_at = path_.clock.WallNow()},
                                            TestSendPath::FcmKey().private_key_pem);
  EXPECT_EQ(WhyRefused(absl::StrCat("Bearer ", jwt)), "BAD_CREDENTIAL");
}

TEST_F(FcmCredentialTest, AnAssertionIsOfItsOwnKeyAndTeam) {
  EXPECT_EQ(WhyNot({.key = GenerateServiceAccountKeyPair()->private_key_pem}), "BAD_CREDENTIAL");
  EXPECT_EQ(WhyNot({.kid = "aaaaaaaaaa"}), "BAD_CREDENTIAL");
  EXPECT_EQ(WhyNot({.kid = "", .iss = "aaaaaaaaaa@teamteam22.bellwire.internal"}),
            "BAD_CREDENTIAL");
  EXPECT_EQ(WhyNot({.iss = "fcmfcmfcm2@aaaaaaaaaa.bellwire.internal"}), "BAD_CREDENTIAL");
  EXPECT_EQ(WhyNot({.iss = "me@example.com"}), "BAD_CREDENTIAL");
  EXPECT_EQ(WhyNot({.iss = ""}), "BAD_CREDENTIAL");
}

TEST_F(FcmCredentialTest, AnAssertionIsForThisEndpointAndThisHour) {
  EXPECT_EQ(WhyNot({.aud = "https://other.example.com/oauth2/token"}), "BAD_CREDENTIAL");
  EXPECT_EQ(WhyNot({.aud = ""}), "BAD_CREDENTIAL");
  EXPECT_EQ(WhyNot({.scope = "https://www.googleapis.com/auth/drive"}), "BAD_SCOPE");
  EXPECT_EQ(WhyNot({.scope = ""}), "BAD_SCOPE");
  EXPECT_EQ(WhyNot({.issued = absl::Minutes(6)}), "BAD_CREDENTIAL");
  EXPECT_TRUE(Exchange(Sign({.issued = absl::Minutes(4)})).ok());
  EXPECT_EQ(WhyNot({.issued = -absl::Hours(1)}), "BAD_CREDENTIAL");
  EXPECT_EQ(WhyNot({.lifetime = absl::Hours(2)}), "BAD_CREDENTIAL");
  EXPECT_EQ(WhyNot({.lifetime = absl::ZeroDuration()}), "BAD_CREDENTIAL");
  const std::string no_exp =
      SignJwtForTesting({.algorithm = "RS256",
                         .team_id = Assertion().iss,
                         .issued_at = path_.clock.WallNow(),
                         .extra_claims_json = R"({"aud":"https://push.example.com/oauth2/token"})"},
                        TestSendPath::FcmKey().private_key_pem);
  EXPECT_EQ(ErrorReason(Exchange(no_exp).status()), "BAD_CREDENTIAL");
}

TEST_F(FcmCredentialTest, AnAccessTokenLivesNoLongerThanItsAssertion) {
  const std::string bearer = AccessBearer({.issued = -absl::Minutes(50)});
  EXPECT_TRUE(Authenticate(bearer).ok());
  path_.clock.Advance(absl::Minutes(10));
  EXPECT_EQ(WhyRefused(bearer), "EXPIRED_CREDENTIAL");
}

TEST_F(FcmCredentialTest, AnAccessTokenDiesWithItsKey) {
  const std::string bearer = AccessBearer();
  path_.fcm_key_revoked = true;
  EXPECT_TRUE(Authenticate(bearer).ok());
  path_.clock.Advance(kKeyFreshness);
  EXPECT_EQ(WhyRefused(bearer), "BAD_CREDENTIAL");
}

TEST_F(FcmCredentialTest, AnAccessTokenIsOfTheFcmDoorAlone) {
  const std::string text = AccessBearer().substr(7);
  absl::Status why;
  path_.authenticator.Authenticate(
      text, [&why](absl::StatusOr<ProviderIdentity> identity) { why = identity.status(); });
  EXPECT_EQ(ErrorReason(why), "BAD_CREDENTIAL");
  // Nor is what the sealer seals otherwise a token of this kind.
  EXPECT_EQ(WhyRefused(absl::StrCat("Bearer bwf_", path_.Token())), "BAD_CREDENTIAL");
  std::string forged = text;
  forged.back() = forged.back() == '0' ? '1' : '0';
  EXPECT_EQ(WhyRefused(absl::StrCat("Bearer ", forged)), "BAD_CREDENTIAL");
  // A grant for a key that is no service account's.
  const std::string other = path_.sealer->SealGrant(
      {.key_id = TestSendPath::kKeyId, .expires_at = path_.clock.WallNow() + absl::Hours(1)});
  EXPECT_EQ(WhyRefused(absl::StrCat("Bearer bwf_", other)), "BAD_CREDENTIAL");
}

TEST_F(FcmCredentialTest, WhatOtherDoorsTakeThisOneTakesToo) {
  EXPECT_EQ(Authenticate(path_.Bearer())->team_id, kTeam);
  EXPECT_TRUE(Authenticate(path_.SendOnlyBearer())->send_only);
}

TEST_F(FcmCredentialTest, AProjectIsTheCallersTeam) {
  EXPECT_EQ(WhyRefused(AccessBearer(), "aaaaaaaaaa"), "WRONG_PROJECT");
  EXPECT_EQ(WhyRefused(path_.Bearer(), "aaaaaaaaaa"), "WRONG_PROJECT");
  EXPECT_TRUE(Authenticate(AccessBearer(), "").ok());
  EXPECT_EQ(WhyRefused("", kTeam), "BAD_CREDENTIAL");
  EXPECT_EQ(WhyRefused("Basic abc", kTeam), "BAD_CREDENTIAL");
}

TEST_F(FcmCredentialTest, ARegistryThatIsAwayIsNoRefusal) {
  const auto known = path_.registry.get_key;
  path_.registry.get_key =
      [](const internal::v1::GetKeyRequest&) -> absl::StatusOr<admin::v1::Key> {
    return absl::UnavailableError("away");
  };
  EXPECT_EQ(Exchange(Sign({})).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace bellwire::gateway::fcm
