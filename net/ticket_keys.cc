#include "net/ticket_keys.h"

#include <openssl/crypto.h>

#include <cstring>

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

bool HasName(const TicketKeys::Key& key, absl::string_view name) {
  return name.size() == key.name.size() && memcmp(name.data(), key.name.data(), name.size()) == 0;
}

}  // namespace

TicketKeys::TicketKeys(const Clock* clock)
    : clock_(clock), current_(NewKey()), current_since_(clock->Monotonic()) {}

TicketKeys::~TicketKeys() {
  OPENSSL_cleanse(&current_, sizeof(current_));
  if (previous_.has_value()) OPENSSL_cleanse(&*previous_, sizeof(*previous_));
}

TicketKeys::Key TicketKeys::Current() {
  absl::MutexLock lock(&mutex_);
  RotateIfDue();
  return current_;
}

std::optional<TicketKeys::Key> TicketKeys::Find(absl::string_view name) {
  absl::MutexLock lock(&mutex_);
  RotateIfDue();
  if (HasName(current_, name)) return current_;
  if (previous_.has_value() && HasName(*previous_, name)) return previous_;
  return std::nullopt;
}

void TicketKeys::RotateIfDue() {
  const MonotonicTime now = clock_->Monotonic();
  const absl::Duration age = now - current_since_;
  if (age < kTicketLifetime) return;
  if (previous_.has_value()) OPENSSL_cleanse(&*previous_, sizeof(*previous_));
  previous_.reset();
  // After a quiet spell even the current key may be too old to keep.
  if (age < 2 * kTicketLifetime) previous_ = current_;
  OPENSSL_cleanse(&current_, sizeof(current_));
  current_ = NewKey();
  current_since_ = now;
}

}  // namespace bellwire::net
