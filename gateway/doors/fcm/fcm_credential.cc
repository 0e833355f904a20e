#include "gateway/doors/fcm/fcm_credential.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/error.h"
#include "common/limits.h"
#include "gateway/auth/bearer_token.h"
#include "gateway/auth/jwt.h"
#include "gateway/auth/service_account.h"

namespace bellwire::gateway::fcm {
namespace {

constexpr absl::string_view kPrefix = "bwf_";

constexpr absl::string_view kScopes[] = {
    "https://www.googleapis.com/auth/firebase.messaging",
    "https://www.googleapis.com/auth/firebase",
    "https://www.googleapis.com/auth/cloud-platform",
};

absl::Status Bad(absl::string_view message) {
  return MakeError(absl::StatusCode::kUnauthenticated, "BAD_CREDENTIAL", message);
}

// `key` is what the registry has under the id that `account` names.
absl::Status CheckKey(absl::string_view assertion, const ServiceAccount& account,
                      const KnownKey& key) {
  if (key.kind != admin::v1::Key::FCM || key.team_id != account.team_id) {
    return Bad("The JWT's iss is no service account of this server.");
  }
  return VerifyAssertion(assertion, key.public_key_pem);
}

}  // namespace

bool HasFcmScope(absl::string_view scopes) {
  for (const absl::string_view scope : absl::StrSplit(scopes, ' ', absl::SkipEmpty())) {
    if (std::find(std::begin(kScopes), std::end(kScopes), scope) != std::end(kScopes)) return true;
  }
  return false;
}

void FcmCredentials::Exchange(absl::string_view assertion,
                              absl::AnyInvocable<void(absl::StatusOr<AccessToken>) &&> done) {
  const absl::StatusOr<AssertionClaims> claims = ParseAssertion(assertion);
  if (!claims.ok()) return std::move(done)(claims.status());
  const absl::Time now = environment_.clock->WallNow();
  if (absl::Status times = CheckAssertionTimes(*claims, now); !times.ok()) {
    return std::move(done)(std::move(times));
  }
  if (!IsTokenAudience(claims->audience, environment_.public_urls)) {
    return std::move(done)(
        Bad("The JWT's aud is not the token endpoint of this server, as the service-account file "
            "names it (token_uri)."));
  }
  const std::optional<ServiceAccount> account = ParseServiceAccountEmail(claims->issuer);
  // A `kid` may be missing; one that names another key is a mistake, or somebody's attempt.
  if (!account.has_value() || (!claims->key_id.empty() && claims->key_id != account->key_id)) {
    return std::move(done)(Bad("The JWT's iss is no service account of this server."));
  }
  if (!HasFcmScope(claims->scope)) {
    return std::move(done)(
        MakeError(absl::StatusCode::kInvalidArgument, "BAD_SCOPE",
                  absl::StrCat("The JWT's scope has none of this server: ask for ", kScopes[0])));
  }
  AccessGrant grant;
  grant.key_id = account->key_id;
  grant.expires_at =
      absl::FromUnixSeconds(absl::ToUnixSeconds(std::min(claims->expires_at, now + kMaxJwtAge)));
  const absl::Duration lifetime = absl::Floor(grant.expires_at - now, absl::Seconds(1));
  if (lifetime < absl::Seconds(1)) return std::move(done)(Bad("The JWT has expired."));
  const std::string key_id = account->key_id;
  environment_.keys->Get(
      key_id, [sealer = environment_.sealer, assertion = std::string(assertion), account = *account,
               grant = std::move(grant), lifetime, done = std::move(done)](
                  absl::StatusOr<std::shared_ptr<const KnownKey>> key) mutable {
        if (!key.ok()) return std::move(done)(key.status());
        if (absl::Status checked = CheckKey(assertion, account, **key); !checked.ok()) {
          return std::move(done)(std::move(checked));
        }
        std::move(done)(AccessToken{absl::StrCat(kPrefix, sealer->SealGrant(grant)), lifetime});
      });
}

void FcmCredentials::Authenticate(const http::HeaderList& headers, absl::string_view project,
                                  Authenticator::Done done) {
  const absl::StatusOr<absl::string_view> bearer = BearerToken(headers);
  if (!bearer.ok()) return std::move(done)(bearer.status());
  Authenticator::Done check = [project = std::string(project), done = std::move(done)](
                                  absl::StatusOr<ProviderIdentity> identity) mutable {
    if (identity.ok() && !project.empty() && identity->team_id != project) {
      identity = MakeError(absl::StatusCode::kPermissionDenied, "WRONG_PROJECT",
                           absl::StrCat("The credential is not of project \"", project,
                                        "\": a project here is the id of a team."));
    }
    std::move(done)(std::move(identity));
  };
  absl::string_view sealed = *bearer;
  if (absl::ConsumePrefix(&sealed, kPrefix)) {
    return AuthenticateAccessToken(sealed, std::move(check));
  }
  environment_.authenticator->Authenticate(*bearer, std::move(check));
}

void FcmCredentials::AuthenticateAccessToken(absl::string_view sealed, Authenticator::Done done) {
  const std::optional<AccessGrant> grant = environment_.sealer->OpenGrant(sealed);
  if (!grant.has_value()) {
    return std::move(done)(Bad("The access token is none of this server: get a new one."));
  }
  if (grant->expires_at <= environment_.clock->WallNow()) {
    return std::move(done)(MakeError(absl::StatusCode::kUnauthenticated, "EXPIRED_CREDENTIAL",
                                     "The access token has expired: get a new one."));
  }
  environment_.keys->Get(
      grant->key_id, [expires_at = grant->expires_at, done = std::move(done)](
                         absl::StatusOr<std::shared_ptr<const KnownKey>> key) mutable {
        if (!key.ok()) return std::move(done)(key.status());
        if ((*key)->kind != admin::v1::Key::FCM) {
          return std::move(done)(Bad("The access token is none of this server: get a new one."));
        }
        ProviderIdentity identity;
        identity.team_id = (*key)->team_id;
        identity.expires_at = expires_at;
        identity.recheck_at = (*key)->fresh_until;
        std::move(done)(std::move(identity));
      });
}

}  // namespace bellwire::gateway::fcm
