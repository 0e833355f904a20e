#ifndef BELLWIRE_GATEWAY_ADMIN_ADMIN_CREDENTIAL_H_
#define BELLWIRE_GATEWAY_ADMIN_ADMIN_CREDENTIAL_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "common/limits.h"

namespace bellwire::gateway {

// The admin token of a server, and the brake on those who guess it.
//
// The right token is always taken, however many wrong ones come: nobody can lock the administrator
// out. A wrong token costs one comparison; kMaxWrongAdminTokens in a row are answered and logged,
// and then one per kWrongAdminTokenInterval. The others are told to wait, and only counted. The
// token itself is what makes guessing hopeless: `bellwire init` makes one of 256 random bits.
//
// Thread-safe.
class AdminCredential {
 public:
  // REQUIRES: `token` is not empty. `clock` outlives this.
  AdminCredential(absl::string_view token, const Clock* clock);
  AdminCredential(const AdminCredential&) = delete;
  AdminCredential& operator=(const AdminCredential&) = delete;

  // From now on this is the token. REQUIRES: it is not empty.
  void Set(absl::string_view token);

  // `peer` is for the log.
  //   UNAUTHENTICATED BAD_CREDENTIAL: it is not the token
  //   RESOURCE_EXHAUSTED TOO_MANY_ATTEMPTS, RetryInfo: nor is this, and the brake is on
  absl::Status Check(absl::string_view presented, absl::string_view peer);

 private:
  using Digest = std::array<uint8_t, 32>;

  const Clock* const clock_;
  absl::Mutex mu_;
  Digest digest_ ABSL_GUARDED_BY(mu_);
  // Wrong tokens that may still be answered, as of `refilled_at_`.
  size_t allowed_ ABSL_GUARDED_BY(mu_) = kMaxWrongAdminTokens;
  MonotonicTime refilled_at_ ABSL_GUARDED_BY(mu_);
  // Wrong tokens that the log doesn't name.
  size_t unlogged_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_ADMIN_ADMIN_CREDENTIAL_H_
