#include "gateway/doors/console/console_sessions.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/escaping.h"
#include "common/ids.h"
#include "gateway/admin/administrators.h"

namespace bellwire::gateway {
namespace {

std::string KeyOf(absl::string_view secret) {
  const TokenDigest digest = DigestOfToken(secret);
  return std::string(reinterpret_cast<const char*>(digest.data()), digest.size());
}

}  // namespace

bool ConsoleSessions::HasEnded(const Entry& entry, MonotonicTime now) const {
  return now - entry.used >= kConsoleIdleTime || now - entry.begun >= kConsoleSessionTime;
}

std::string ConsoleSessions::Begin(ConsoleSession session) {
  std::array<char, 32> random;
  FillRandom(random.data(), random.size());
  const std::string secret =
      absl::BytesToHexString(absl::string_view(random.data(), random.size()));
  const MonotonicTime now = clock_->Monotonic();
  absl::MutexLock lock(&mu_);
  absl::erase_if(entries_, [this, now](const auto& entry) { return HasEnded(entry.second, now); });
  if (entries_.size() >= kMaxConsoleSessions) {
    entries_.erase(std::min_element(
        entries_.begin(), entries_.end(),
        [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
  }
  entries_[KeyOf(secret)] = {.session = std::move(session), .begun = now, .used = now};
  return secret;
}

std::optional<ConsoleSession> ConsoleSessions::Find(absl::string_view secret) {
  const MonotonicTime now = clock_->Monotonic();
  absl::MutexLock lock(&mu_);
  const auto it = entries_.find(KeyOf(secret));
  if (it == entries_.end()) return std::nullopt;
  if (HasEnded(it->second, now)) {
    entries_.erase(it);
    return std::nullopt;
  }
  it->second.used = now;
  return it->second.session;
}

void ConsoleSessions::End(absl::string_view secret) {
  absl::MutexLock lock(&mu_);
  entries_.erase(KeyOf(secret));
}

size_t ConsoleSessions::size() {
  absl::MutexLock lock(&mu_);
  return entries_.size();
}

}  // namespace bellwire::gateway
