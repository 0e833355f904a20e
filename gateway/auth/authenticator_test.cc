#include "gateway/auth/authenticator.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/public_urls.h"
#include "common/simulated_clock.h"
#include "crypto/provider_key.h"
#include "gateway/auth/access_token.h"
#include "gateway/auth/key_cache.h"
#include "gateway/testing/fake_registry.h"
#include "gateway/testing/jwt_for_testing.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

constexpr char kTeam[] = "teamteam22";
constexpr char kKeyId[] = "abcdefghij";
constexpr char kOtherTeamsKeyId[] = "jihgfedcba";
constexpr char kTokenKeyId[] = "tokentoken";

class AuthenticatorTest : public ::testing::Test {
 protected:
  AuthenticatorTest()
      : key_(*GenerateProviderKeyPair()),
        other_teams_key_(*GenerateProviderKeyPair()),
        keys_(&registry_, &clock_),
        authenticator_(&keys_, &clock_) {
    registry_.get_key =
        [this](const internal::v1::GetKeyRequest& request) -> absl::StatusOr<admin::v1::Key> {
      ++fetches_;
      admin::v1::Key key;
      key.set_key_id(request.key_id());
      if (request.key_id() == kKeyId) {
        key.set_team_id(kTeam);
        key.set_public_key_pem(key_.public_key_pem);
        if (revoked_) key.mutable_revoke_time()->set_seconds(1);
      } else if (request.key_id() == kOtherTeamsKeyId) {
        key.set_team_id("otherteam2");
        key.set_public_key_pem(other_teams_key_.public_key_pem);
      } else if (request.key_id() == kTokenKeyId) {
        key.set_kind(admin::v1::Key::SEND_ONLY);
        key.set_team_id(kTeam);
        key.set_token_sha256(HashAccessToken(token_));
        if (revoked_) key.mutable_revoke_time()->set_seconds(1);
      } else {
        return MakeError(absl::StatusCode::kNotFound, "KEY_NOT_FOUND", "no such key");
      }
      return key;
    };
  }

  JwtPartsForTesting Parts() {
    JwtPartsForTesting parts;
    parts.key_id = kKeyId;
    parts.team_id = kTeam;
    parts.issued_at = clock_.WallNow();
    return parts;
  }

  absl::StatusOr<ProviderIdentity> Authenticate(absl::string_view jwt) {
    absl::StatusOr<ProviderIdentity> result = absl::UnknownError("no answer");
    authenticator_.Authenticate(jwt, [&result](absl::StatusOr<ProviderIdentity> identity) {
      result = std::move(identity);
    });
    return result;
  }

  std::string Reason(absl::string_view jwt) {
    const absl::Status status = Authenticate(jwt).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
    return ErrorReason(status);
  }

  const ProviderKeyPair key_;
  const ProviderKeyPair other_teams_key_;
  const std::string token_ = NewAccessToken(kTokenKeyId);
  SimulatedClock clock_;
  FakeRegistry registry_;
  int fetches_ = 0;
  bool revoked_ = false;
  KeyCache keys_;
  Authenticator authenticator_;
};

TEST_F(AuthenticatorTest, KnowsTheTeam) {
  const auto identity = Authenticate(SignJwtForTesting(Parts(), key_.private_key_pem));
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->team_id, kTeam);
  EXPECT_TRUE(identity->IsFresh(clock_));
}

TEST_F(AuthenticatorTest, RefusesAnotherKeysSignature) {
  EXPECT_EQ(Reason(SignJwtForTesting(Parts(), other_teams_key_.private_key_pem)), "BAD_CREDENTIAL");
}

TEST_F(AuthenticatorTest, AKeySpeaksForItsOwnTeamOnly) {
  JwtPartsForTesting parts = Parts();
  parts.key_id = kOtherTeamsKeyId;
  EXPECT_EQ(Reason(SignJwtForTesting(parts, other_teams_key_.private_key_pem)), "BAD_CREDENTIAL");
}

TEST_F(AuthenticatorTest, RefusesUnknownKeysAndAsksOnlyForWhatMayBeOne) {
  JwtPartsForTesting parts = Parts();
  parts.key_id = "zzzzzzzzzz";
  EXPECT_EQ(Reason(SignJwtForTesting(parts, key_.private_key_pem)), "BAD_CREDENTIAL");
  EXPECT_EQ(fetches_, 1);
  for (const char* id : {"../../etc", "zzzzzzzzzzz", "ZZZZZZZZZZ"}) {
    parts.key_id = id;
    EXPECT_EQ(Reason(SignJwtForTesting(parts, key_.private_key_pem)), "BAD_CREDENTIAL");
  }
  EXPECT_EQ(fetches_, 1);
}

TEST_F(AuthenticatorTest, ExpiresWhileItIsRemembered) {
  const std::string jwt = SignJwtForTesting(Parts(), key_.private_key_pem);
  ASSERT_TRUE(Authenticate(jwt).ok());
  clock_.JumpWall(kMaxJwtAge + absl::Seconds(1));
  EXPECT_EQ(Reason(jwt), "EXPIRED_CREDENTIAL");
}

TEST_F(AuthenticatorTest, ExpiryIsSeenInAnIdentityToo) {
  const auto identity = Authenticate(SignJwtForTesting(Parts(), key_.private_key_pem));
  ASSERT_TRUE(identity.ok());
  clock_.JumpWall(kMaxJwtAge);
  EXPECT_FALSE(identity->IsFresh(clock_));
}

TEST_F(AuthenticatorTest, AnExpiryThatComesEarlierCounts) {
  JwtPartsForTesting parts = Parts();
  parts.extra_claims_json =
      absl::StrCat(R"({"exp":)", absl::ToUnixSeconds(clock_.WallNow()) + 60, "}");
  const std::string jwt = SignJwtForTesting(parts, key_.private_key_pem);
  const auto identity = Authenticate(jwt);
  ASSERT_TRUE(identity.ok()) << identity.status();
  clock_.JumpWall(absl::Seconds(61));
  EXPECT_FALSE(identity->IsFresh(clock_));
  EXPECT_EQ(Reason(jwt), "EXPIRED_CREDENTIAL");
}

TEST_F(AuthenticatorTest, AJwtForAnotherServerIsRefusedWithoutAsking) {
  Authenticator authenticator(&keys_, &clock_, *PublicUrls::Parse({"https://push.example.com"}));
  const auto reason = [&](const char* claims) {
    JwtPartsForTesting parts = Parts();
    parts.extra_claims_json = claims;
    absl::StatusOr<ProviderIdentity> result = absl::UnknownError("no answer");
    authenticator.Authenticate(SignJwtForTesting(parts, key_.private_key_pem),
                               [&result](absl::StatusOr<ProviderIdentity> identity) {
                                 result = std::move(identity);
                               });
    return ErrorReason(result.status());
  };
  EXPECT_EQ(reason(R"({"aud":"https://push.example.org"})"), "BAD_CREDENTIAL");
  EXPECT_EQ(fetches_, 0);
  EXPECT_EQ(reason(R"({"aud":"https://push.example.com"})"), "");
  EXPECT_EQ(reason(R"({"aud":["https://push.example.org","https://push.example.com/"]})"), "");
}

// A team makes a second key, signs with it, and revokes the first: nothing is refused meanwhile.
TEST_F(AuthenticatorTest, KeysRollOverWithoutAGap) {
  const ProviderKeyPair next = *GenerateProviderKeyPair();
  constexpr char kNextKeyId[] = "nextnextne";
  const auto known = registry_.get_key;
  bool made = false;
  registry_.get_key = [&](const internal::v1::GetKeyRequest& request) {
    if (request.key_id() != kNextKeyId || !made) return known(request);
    admin::v1::Key key;
    key.set_key_id(kNextKeyId);
    key.set_team_id(kTeam);
    key.set_public_key_pem(next.public_key_pem);
    return absl::StatusOr<admin::v1::Key>(key);
  };
  JwtPartsForTesting parts = Parts();
  const std::string old_jwt = SignJwtForTesting(parts, key_.private_key_pem);
  parts.key_id = kNextKeyId;
  const std::string new_jwt = SignJwtForTesting(parts, next.private_key_pem);
  EXPECT_EQ(Reason(new_jwt), "BAD_CREDENTIAL");  // It was never made so far.
  made = true;
  absl::Duration until_new = absl::ZeroDuration();
  while (!Authenticate(new_jwt).ok()) {
    ASSERT_TRUE(Authenticate(old_jwt).ok());
    clock_.Advance(absl::Milliseconds(100));
    until_new += absl::Milliseconds(100);
  }
  EXPECT_LE(until_new, kMaxUnknownKeyAge);
  EXPECT_TRUE(Authenticate(old_jwt).ok());
  revoked_ = true;
  for (absl::Duration t; t <= 2 * kKeyFreshness; t += absl::Milliseconds(100)) {
    ASSERT_TRUE(Authenticate(new_jwt).ok()) << t;
    clock_.Advance(absl::Milliseconds(100));
  }
  EXPECT_EQ(Reason(old_jwt), "BAD_CREDENTIAL");
}

// A busy JWT is verified again with a key that was looked up ahead.
TEST_F(AuthenticatorTest, AJwtThatIsInUseWaitsForNothing) {
  const std::string jwt = SignJwtForTesting(Parts(), key_.private_key_pem);
  ASSERT_TRUE(Authenticate(jwt).ok());
  clock_.Advance(kKeyRefreshAge);
  ASSERT_TRUE(Authenticate(jwt).ok());
  EXPECT_EQ(fetches_, 2);
  clock_.Advance(kKeyFreshness - kKeyRefreshAge);
  registry_.HoldAnswers();
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(Authenticate(jwt).ok());
  EXPECT_EQ(registry_.held(), 1u);
  registry_.ReleaseAnswers();
}

TEST_F(AuthenticatorTest, RefusesTheFuture) {
  JwtPartsForTesting parts = Parts();
  parts.issued_at = clock_.WallNow() + kMaxJwtClockSkew + absl::Seconds(1);
  EXPECT_EQ(Reason(SignJwtForTesting(parts, key_.private_key_pem)), "BAD_CREDENTIAL");
}

TEST_F(AuthenticatorTest, ARevokedKeyEndsWhatWasRemembered) {
  const std::string jwt = SignJwtForTesting(Parts(), key_.private_key_pem);
  const auto identity = Authenticate(jwt);
  ASSERT_TRUE(identity.ok());
  revoked_ = true;
  clock_.Advance(kKeyFreshness);
  EXPECT_FALSE(identity->IsFresh(clock_));
  EXPECT_EQ(Reason(jwt), "BAD_CREDENTIAL");
}

TEST_F(AuthenticatorTest, AskingAgainKeepsALivingKey) {
  const std::string jwt = SignJwtForTesting(Parts(), key_.private_key_pem);
  ASSERT_TRUE(Authenticate(jwt).ok());
  ASSERT_TRUE(Authenticate(jwt).ok());
  EXPECT_EQ(fetches_, 1);
  clock_.Advance(kKeyFreshness);
  const auto identity = Authenticate(jwt);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_TRUE(identity->IsFresh(clock_));
  EXPECT_EQ(fetches_, 2);
}

TEST_F(AuthenticatorTest, ABadSignatureIsNeverRemembered) {
  const std::string jwt = SignJwtForTesting(Parts(), other_teams_key_.private_key_pem);
  EXPECT_EQ(Reason(jwt), "BAD_CREDENTIAL");
  EXPECT_EQ(Reason(jwt), "BAD_CREDENTIAL");
}

TEST_F(AuthenticatorTest, RefusesGarbageWithoutAsking) {
  EXPECT_EQ(Reason(""), "BAD_CREDENTIAL");
  EXPECT_EQ(Reason("a.b.c"), "BAD_CREDENTIAL");
  EXPECT_EQ(Reason(std::string(kMaxJwtBytes + 1, 'a')), "BAD_CREDENTIAL");
  EXPECT_EQ(fetches_, 0);
}

TEST_F(AuthenticatorTest, AnAccessTokenMaySendOnly) {
  const absl::StatusOr<ProviderIdentity> identity = Authenticate(token_);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->team_id, kTeam);
  EXPECT_TRUE(identity->send_only);
  EXPECT_EQ(ErrorReason(RequireFullAccess(*identity)), "SEND_ONLY_CREDENTIAL");
  const auto by_jwt = Authenticate(SignJwtForTesting(Parts(), key_.private_key_pem));
  EXPECT_TRUE(RequireFullAccess(*by_jwt).ok());
}

TEST_F(AuthenticatorTest, OtherAccessTokensAreRefused) {
  std::string other = token_;
  other.back() = other.back() == 'a' ? 'b' : 'a';
  for (const std::string& token : {other, NewAccessToken(kTokenKeyId), NewAccessToken("nosuchkey2"),
                                   // Of a signing key, which has no hash.
                                   NewAccessToken(kKeyId), token_ + "a", std::string("bw_")}) {
    EXPECT_EQ(ErrorReason(Authenticate(token).status()), "BAD_CREDENTIAL") << token;
  }
  // Nor does a JWT get by on the name of a token, whose key is empty.
  JwtPartsForTesting parts = Parts();
  parts.key_id = kTokenKeyId;
  EXPECT_EQ(ErrorReason(Authenticate(SignJwtForTesting(parts, key_.private_key_pem)).status()),
            "BAD_CREDENTIAL");
}

TEST_F(AuthenticatorTest, ARevokedAccessTokenIsRefusedSoon) {
  EXPECT_TRUE(Authenticate(token_).ok());
  EXPECT_TRUE(Authenticate(token_).ok());
  EXPECT_EQ(fetches_, 1);
  revoked_ = true;
  clock_.Advance(kKeyFreshness);
  EXPECT_EQ(ErrorReason(Authenticate(token_).status()), "BAD_CREDENTIAL");
}

}  // namespace
}  // namespace bellwire::gateway
