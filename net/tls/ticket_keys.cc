#include "net/tls/ticket_keys.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/error.h"
#include "common/ids.h"

namespace bellwire::net {
namespace {

TicketKeys::Key NewKey() {
  TicketKeys::Key key;
  FillRandom(key.name.data(), key.name.size());
  FillRandom(key.aes.data(), key.aes.size());
  FillRandom(key.hmac.data(), key.hmac.size());
  return key;
}

// HMAC-SHA256 is a random function to those who don't have the secret; what it is asked tells the
// parts apart.
void Derive(const TicketSecret& secret, absl::string_view part, int64_t epoch, uint8_t* out,
            size_t size) {
  const std::string message = absl::StrCat("bellwire ticket v1 ", part, " ", epoch);
  uint8_t digest[EVP_MAX_MD_SIZE];
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const uint8_t*>(message.data()), message.size(), digest, nullptr);
  memcpy(out, digest, size);
  OPENSSL_cleanse(digest, sizeof(digest));
}

TicketKeys::Key KeyOf(const TicketSecret& secret, int64_t epoch) {
  TicketKeys::Key key;
  Derive(secret, "name", epoch, key.name.data(), key.name.size());
  Derive(secret, "aes", epoch, key.aes.data(), key.aes.size());
  Derive(secret, "hmac", epoch, key.hmac.data(), key.hmac.size());
  return key;
}

bool HasName(const TicketKeys::Key& key, absl::string_view name) {
  return name.size() == key.name.size() && memcmp(name.data(), key.name.data(), name.size()) == 0;
}

bool IsSecret(absl::string_view word) {
  if (word.size() != 2 * sizeof(TicketSecret)) return false;
  for (const char c : word) {
    if (!absl::ascii_isdigit(c) && (c < 'a' || c > 'f')) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<std::vector<TicketSecret>> ParseTicketSecrets(absl::string_view text) {
  const auto bad = [](const auto&... why) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "BAD_TICKET_KEY_FILE",
                     absl::StrCat(why...));
  };
  std::vector<TicketSecret> secrets;
  int line_number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++line_number;
    line = absl::StripAsciiWhitespace(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    if (!IsSecret(line)) return bad("line ", line_number, " isn't 64 lower-case hex digits");
    if (secrets.size() == kMaxTicketSecrets) return bad("line ", line_number, " is one too many");
    std::string bytes = absl::HexStringToBytes(line);
    memcpy(secrets.emplace_back().data(), bytes.data(), sizeof(TicketSecret));
    OPENSSL_cleanse(bytes.data(), bytes.size());
  }
  if (secrets.empty()) return bad("there is no secret in it");
  return secrets;
}

TicketKeys::TicketKeys(const Clock* clock, std::vector<TicketSecret> shared)
    : clock_(clock), shared_(std::move(shared)) {}

TicketKeys::~TicketKeys() {
  OPENSSL_cleanse(shared_.data(), shared_.size() * sizeof(TicketSecret));
  absl::MutexLock lock(&mutex_);
  Forget(0);
}

TicketKeys::Key TicketKeys::Current() {
  absl::MutexLock lock(&mutex_);
  RotateIfDue();
  return keys_.front();
}

std::optional<TicketKeys::Key> TicketKeys::Find(absl::string_view name) {
  absl::MutexLock lock(&mutex_);
  RotateIfDue();
  for (const Key& key : keys_) {
    if (HasName(key, name)) return key;
  }
  return std::nullopt;
}

void TicketKeys::RotateIfDue() { shared_.empty() ? RotateRandom() : RotateShared(); }

void TicketKeys::RotateRandom() {
  const MonotonicTime now = clock_->Monotonic();
  const absl::Duration age = now - current_since_;
  if (!keys_.empty() && age < kTicketLifetime) return;
  // After a quiet spell even the one that encrypted may be too old to keep.
  Forget(age < 2 * kTicketLifetime ? 1 : 0);
  keys_.reserve(2);  // Growing would leave copies of keys behind.
  keys_.insert(keys_.begin(), NewKey());
  current_since_ = now;
}

void TicketKeys::RotateShared() {
  const int64_t epoch =
      absl::ToUnixSeconds(clock_->WallNow()) / absl::ToInt64Seconds(kTicketLifetime);
  if (epoch == current_epoch_) return;
  Forget(0);
  keys_.reserve(3 * shared_.size());
  // The next one too: another server's clock may be ahead of ours.
  for (const int64_t e : {epoch, epoch - 1, epoch + 1}) {
    for (const TicketSecret& secret : shared_) keys_.push_back(KeyOf(secret, e));
  }
  current_epoch_ = epoch;
}

void TicketKeys::Forget(size_t from) {
  if (from >= keys_.size()) return;
  OPENSSL_cleanse(keys_.data() + from, (keys_.size() - from) * sizeof(Key));
  keys_.resize(from);
}

}  // namespace bellwire::net
