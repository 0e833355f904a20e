#include "gateway/admin/admin_credential.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "common/error.h"
#include "common/log.h"
#include "crypto/file_util.h"
#include "openssl/crypto.h"

namespace bellwire::gateway {
namespace {

// What the audit log calls whoever has the admin token.
constexpr absl::string_view kTokenHolder = "admin.token";

bool IsSame(const TokenDigest& a, const TokenDigest& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

AdminCredential::AdminCredential(const std::optional<std::string>& token, const Clock* clock,
                                 std::string administrators_path)
    : clock_(clock),
      administrators_path_(std::move(administrators_path)),
      refilled_at_(clock->Monotonic()) {
  if (token.has_value()) Set(*token);
}

void AdminCredential::Set(absl::string_view token) {
  absl::MutexLock lock(&mu_);
  digest_ = DigestOfToken(token);
}

void AdminCredential::ReadAgain() {
  if (administrators_path_.empty()) return;
  struct stat info {};
  std::optional<Version> version;
  if (stat(administrators_path_.c_str(), &info) == 0) {
    version = Version(info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
  }
  if (version == version_) return;
  version_ = version;
  administrators_.clear();
  if (!version.has_value()) return;
  absl::StatusOr<std::vector<AdministratorEntry>> entries = [&]() -> decltype(entries) {
    absl::StatusOr<std::string> text = ReadPrivateFile(administrators_path_);
    if (!text.ok()) return text.status();
    return ParseAdministrators(*text);
  }();
  if (!entries.ok()) {
    LogError("administrators_not_read", {{"file", administrators_path_},
                                         {"error", entries.status().message()},
                                         {"consequence", "only admin.token is taken"}});
    return;
  }
  administrators_ = *std::move(entries);
  LogInfo("administrators_read",
          {{"file", administrators_path_}, {"administrators", administrators_.size()}});
}

absl::StatusOr<Administrator> AdminCredential::Check(absl::string_view presented,
                                                     absl::string_view peer) {
  // Digests are compared, not the tokens: that takes equally long whatever their lengths.
  const TokenDigest digest = DigestOfToken(presented);
  absl::MutexLock lock(&mu_);
  ReadAgain();
  if (digest_.has_value() && IsSame(digest, *digest_)) {
    return Administrator{std::string(kTokenHolder), AdminRole::kOwner};
  }
  for (const AdministratorEntry& entry : administrators_) {
    if (IsSame(digest, entry.digest)) return entry.administrator;
  }

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
                   digest_.has_value()
                       ? "This is not the admin token of the server (DATA_DIR/admin.token), nor "
                         "that of an administrator."
                       : "This gateway is not for administrators: its data directory has no "
                         "admin.token. Ask the gateway that has one.");
}

}  // namespace bellwire::gateway
