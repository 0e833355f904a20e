#ifndef BELLWIRE_GATEWAY_ADMIN_ADMIN_CREDENTIAL_H_
#define BELLWIRE_GATEWAY_ADMIN_ADMIN_CREDENTIAL_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "common/limits.h"
#include "gateway/admin/administrators.h"

namespace bellwire::gateway {

// Who may administer: the admin token of a server, which is an owner's, and the administrators in a
// file (administrators.h); and the brake on those who guess.
//
// A right token is always taken, however many wrong ones come: nobody can lock an administrator
// out. A wrong token costs a few comparisons; kMaxWrongAdminTokens in a row are answered and
// logged, and then one per kWrongAdminTokenInterval. The others are told to wait, and only counted.
// The token itself is what makes guessing hopeless: `bellwire init` makes one of 256 random bits.
//
// The file is looked at with each call and read again when it has changed. One that can't be read,
// or is malformed, has nobody in it, and the log says so. Thread-safe.
class AdminCredential {
 public:
  // REQUIRES: `token` is not empty. None: nobody has it. `administrators_path`: empty, there is no
  // such file. `clock` outlives this.
  AdminCredential(const std::optional<std::string>& token, const Clock* clock,
                  std::string administrators_path = "");
  AdminCredential(const AdminCredential&) = delete;
  AdminCredential& operator=(const AdminCredential&) = delete;

  // From now on this is the token. REQUIRES: it is not empty.
  void Set(absl::string_view token);

  // Whose token it is. `peer` is for the log.
  //   UNAUTHENTICATED BAD_CREDENTIAL: it is nobody's
  //   RESOURCE_EXHAUSTED TOO_MANY_ATTEMPTS, RetryInfo: nor is this, and the brake is on
  absl::StatusOr<Administrator> Check(absl::string_view presented, absl::string_view peer);

 private:
  // What tells one version of the file from another.
  using Version = std::tuple<uint64_t, int64_t, int64_t, int64_t>;

  void ReadAgain() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Clock* const clock_;
  const std::string administrators_path_;
  absl::Mutex mu_;
  // Of the admin token.
  std::optional<TokenDigest> digest_ ABSL_GUARDED_BY(mu_);
  std::vector<AdministratorEntry> administrators_ ABSL_GUARDED_BY(mu_);
  // Nullopt: there was no file.
  std::optional<Version> version_ ABSL_GUARDED_BY(mu_);
  // Wrong tokens that may still be answered, as of `refilled_at_`.
  size_t allowed_ ABSL_GUARDED_BY(mu_) = kMaxWrongAdminTokens;
  MonotonicTime refilled_at_ ABSL_GUARDED_BY(mu_);
  // Wrong tokens that the log doesn't name.
  size_t unlogged_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_ADMIN_ADMIN_CREDENTIAL_H_
