#ifndef BELLWIRE_GATEWAY_DOORS_WEBPUSH_VAPID_H_
#define BELLWIRE_GATEWAY_DOORS_WEBPUSH_VAPID_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/public_urls.h"
#include "gateway/auth/expiring_cache.h"
#include "gateway/doors/http/header_list.h"

// How an application server shows who it is (RFC 8292, VAPID): a JWT, signed with the key that a
// subscription may be bound to. All errors are UNAUTHENTICATED BAD_CREDENTIAL, or
// EXPIRED_CREDENTIAL, and never show the JWT.
namespace bellwire::webpush {

// What RFC 8292, 2 allows between now and `exp`.
inline constexpr absl::Duration kMaxVapidLife = absl::Hours(24);
// An uncompressed P-256 point.
inline constexpr size_t kVapidKeyBytes = 65;

// Proves nothing before it is verified.
struct VapidCredential {
  std::string jwt;
  // kVapidKeyBytes, not yet known to be on the curve.
  std::string key;
};

// From `Authorization: vapid t=JWT, k=KEY`, or from the older `Authorization: WebPush JWT` (or
// Bearer) with `Crypto-Key: p256ecdsa=KEY`. Keys in padded or standard base64 are taken too, since
// libraries write them. nullopt: the request has no Authorization.
absl::StatusOr<std::optional<VapidCredential>> ParseVapid(const http::HeaderList& headers);

struct VapidClaims {
  // One, or several.
  std::vector<std::string> audiences;
  absl::Time expires_at;
};

// Refuses what is malformed, larger than kMaxJwtBytes, not ES256, or has critical header parameters
// (`crit`). Pure.
absl::StatusOr<VapidClaims> ParseVapidJwt(absl::string_view jwt);

// Whether the private half of `key` (kVapidKeyBytes) signed it. Pure.
absl::Status CheckVapidSignature(absl::string_view jwt, absl::string_view key);

// Verifies credentials. Those that were good are remembered by their hash until they expire, so
// that a burst with one JWT costs one ECDSA verification.
//
// Thread-safe.
class VapidVerifier {
 public:
  // A JWT must have one of `urls` as audience. `clock` outlives the verifier.
  VapidVerifier(PublicUrls urls, const Clock* clock);
  VapidVerifier(const VapidVerifier&) = delete;
  VapidVerifier& operator=(const VapidVerifier&) = delete;

  absl::Status Verify(const VapidCredential& credential);

 private:
  using Digest = std::array<uint8_t, 32>;

  const PublicUrls urls_;
  const Clock* const clock_;
  absl::Mutex mutex_;
  // When each expires, by wall time.
  gateway::ExpiringCache<Digest, absl::Time> verified_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwire::webpush

#endif  // BELLWIRE_GATEWAY_DOORS_WEBPUSH_VAPID_H_
