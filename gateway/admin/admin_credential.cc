#include "gateway/admin/admin_credential.h"

#include <algorithm>
#include <utility>

#include "common/error.h"
#include "common/log.h"
#include "openssl/crypto.h"
#include "openssl/sha.h"

namespace bellwire::gateway {
namespace {

// Digests are compared, not the tokens: that takes equally long whatever their lengths.
std::array<uint8_t, 32> DigestOf(absl::string_view text) {
  std::array<uint8_t, 32> digest;
  static_assert(SHA256_DIGEST_LENGTH == sizeof(digest));
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

}  // namespace

AdminCredential::AdminCredential(absl::string_view token, const Clock* clock)
    : clock_(clock), digest_(DigestOf(token)), refilled_at_(clock->Monotonic()) {}

void AdminCredential::Set(absl::string_view token) {
  absl::MutexLock lock(&mu_);
  digest_ = DigestOf(token);
}

absl::Status AdminCredential::Check(absl::string_view presented, absl::string_view peer) {
  const Digest digest = DigestOf(presented);
  absl::MutexLock lock(&mu_);
  if (CRYPTO_memcmp(digest.data(), digest_.data(), digest.size()) == 0) return absl::OkStatus();

  const MonotonicTime now = clock_->Monotonic();
  const int64_t refill = (now - refilled_at_) / kWrongAdminTokenInterval;
  if (refill > 0) {
    allowed_ = std::min(kMaxWrongAdminTokens, allowed_ + static_cast<size_t>(refill));
    refilled_at_ = refilled_at_ + refill * kWrongAdminTokenInterval;
  }
  if (allowed_ == 0) {
    ++unlogged_;
    return WithRetryAfter(
        MakeError(absl::StatusCode::kResourceExhausted, "TOO_MANY_ATTEMPTS",
                  "This is not the admin token of the server (DATA_DIR/admin.token), and many "
                  "others were not: wait before you try another."),
        kWrongAdminTokenInterval);
  }
  --allowed_;
  LogWarning("admin_credential_refused",
             {{"peer", peer}, {"others_before", std::exchange(unlogged_, 0)}});
  return MakeError(absl::StatusCode::kUnauthenticated, "BAD_CREDENTIAL",
                   "This is not the admin token of the server (DATA_DIR/admin.token).");
}

}  // namespace bellwire::gateway
