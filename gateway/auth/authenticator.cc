#include "gateway/auth/authenticator.h"

#include <memory>
#include <optional>
#include <utility>

#include "common/error.h"
#include "common/limits.h"
#include "gateway/auth/access_token.h"
#include "gateway/auth/jwt.h"
#include "openssl/sha.h"

namespace bellwire::gateway {
namespace {

// Made-up ids need not reach the registry: NewShortId makes ten of these.
bool LooksLikeKeyId(absl::string_view id) {
  return id.size() == 10 &&
         id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") == absl::string_view::npos;
}

absl::StatusOr<ProviderIdentity> Verify(absl::string_view jwt, const JwtClaims& claims,
                                        const KnownKey& key) {
  if (key.kind != admin::v1::Key::SIGNING) {
    return MakeError(absl::StatusCode::kUnauthenticated, "BAD_CREDENTIAL",
                     "The JWT's kid is not the id of a signing key.");
  }
  if (absl::Status verified = VerifyJwt(jwt, key.public_key_pem); !verified.ok()) return verified;
  if (claims.team_id != key.team_id) {
    return MakeError(absl::StatusCode::kUnauthenticated, "BAD_CREDENTIAL",
                     "The JWT's iss is not the team that its signing key belongs to.");
  }
  ProviderIdentity identity;
  identity.team_id = key.team_id;
  identity.apns_store_one = key.apns_store_one;
  identity.key_id = claims.key_id;
  identity.expires_at = claims.ends_at();
  identity.recheck_at = key.fresh_until;
  return identity;
}

absl::Status BadAccessToken() {
  return MakeError(absl::StatusCode::kUnauthenticated, "BAD_CREDENTIAL",
                   "The access token is none of this server: paste it whole, as `bellwire key "
                   "create --send_only` printed it.");
}

}  // namespace

absl::Status RequireFullAccess(const ProviderIdentity& identity) {
  if (!identity.send_only) return absl::OkStatus();
  return MakeError(absl::StatusCode::kPermissionDenied, "SEND_ONLY_CREDENTIAL",
                   "This access token may only send, and look up messages. Use a JWT of the team.");
}

Authenticator::Authenticator(KeyCache* keys, const Clock* clock, PublicUrls public_urls)
    : keys_(keys),
      clock_(clock),
      public_urls_(std::move(public_urls)),
      verified_(kMaxCachedJwts) {}

void Authenticator::Authenticate(absl::string_view credential, Done done) {
  if (LooksLikeAccessToken(credential)) {
    return AuthenticateAccessToken(credential, std::move(done));
  }
  const absl::string_view jwt = credential;
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(jwt.data()), jwt.size(), digest.data());
  {
    absl::ReleasableMutexLock lock(&mu_);
    const ProviderIdentity* known = verified_.Find(digest, clock_->Monotonic());
    if (known != nullptr && known->IsFresh(*clock_)) {
      ProviderIdentity identity = *known;
      lock.Release();
      // Its key is looked up ahead of its time, so that this answer is never missing.
      if (identity.recheck_at - clock_->Monotonic() <= kKeyFreshness - kKeyRefreshAge) {
        keys_->Use(identity.key_id);
      }
      std::move(done)(std::move(identity));
      return;
    }
  }

  absl::StatusOr<JwtClaims> claims = ParseJwt(jwt);
  if (!claims.ok()) {
    std::move(done)(claims.status());
    return;
  }
  if (absl::Status age = CheckJwtAge(*claims, clock_->WallNow()); !age.ok()) {
    std::move(done)(std::move(age));
    return;
  }
  if (absl::Status meant = CheckJwtAudience(*claims, public_urls_); !meant.ok()) {
    std::move(done)(std::move(meant));
    return;
  }
  if (!LooksLikeKeyId(claims->key_id)) {
    std::move(done)(MakeError(absl::StatusCode::kUnauthenticated, "BAD_CREDENTIAL",
                              "The JWT's kid is not a key id of this server."));
    return;
  }
  // Not `claims->key_id`: the callback owns the claims, and may run within Get.
  const std::string key_id = claims->key_id;
  keys_->Get(key_id,
             [this, digest, jwt = std::string(jwt), claims = *std::move(claims),
              done = std::move(done)](absl::StatusOr<std::shared_ptr<const KnownKey>> key) mutable {
               if (!key.ok()) {
                 std::move(done)(key.status());
                 return;
               }
               absl::StatusOr<ProviderIdentity> identity = Verify(jwt, claims, **key);
               if (identity.ok()) {
                 absl::MutexLock lock(&mu_);
                 verified_.Put(digest, *identity, identity->recheck_at);
               }
               std::move(done)(std::move(identity));
             });
}

// One hash each time: remembering the answer would cost the same hash.
void Authenticator::AuthenticateAccessToken(absl::string_view token, Done done) {
  const std::optional<absl::string_view> key_id = KeyIdOfAccessToken(token);
  if (!key_id.has_value()) return std::move(done)(BadAccessToken());
  // Not a view: the caller's token may be gone once `done` has run, which may be within Get.
  const std::string id(*key_id);
  keys_->Get(id, [token = std::string(token), done = std::move(done)](
                     absl::StatusOr<std::shared_ptr<const KnownKey>> key) mutable {
    if (!key.ok()) return std::move(done)(key.status());
    if ((*key)->kind != admin::v1::Key::SEND_ONLY ||
        !AccessTokenMatches(token, (*key)->token_sha256)) {
      return std::move(done)(BadAccessToken());
    }
    ProviderIdentity identity;
    identity.team_id = (*key)->team_id;
    identity.send_only = true;
    identity.apns_store_one = (*key)->apns_store_one;
    identity.expires_at = absl::InfiniteFuture();
    identity.recheck_at = (*key)->fresh_until;
    std::move(done)(std::move(identity));
  });
}

}  // namespace bellwire::gateway
