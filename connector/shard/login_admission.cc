#include "connector/shard/login_admission.h"

#include <utility>

namespace bellwire::connector {

namespace {

constexpr absl::Duration kSecond = absl::Seconds(1);

}  // namespace

LoginAdmission::Login::Login(LoginAdmission* admission, uint64_t session_id,
                             const net::PeerKey& peer, MonotonicTime now)
    : admission_(admission),
      session_id_(session_id),
      peer_(peer),
      line_(&admission->in_tls_),
      entry_(line_->Add(peer, {session_id, now})) {}

LoginAdmission::Login::~Login() {
  if (line_ != nullptr) {
    line_->Remove(entry_);
  } else {
    --admission_->at_registry_;
  }
}

void LoginAdmission::Login::AwaitLogin(MonotonicTime now) {
  if (line_ != &admission_->in_tls_) return;
  line_->Remove(entry_);
  line_ = &admission_->without_login_;
  entry_ = line_->Add(peer_, {session_id_, now});
}

void LoginAdmission::Login::AwaitRegistry(MonotonicTime now) {
  if (line_ == nullptr) return;
  std::exchange(line_, nullptr)->Remove(entry_);
  ++admission_->at_registry_;
  const absl::Duration age = now - admission_->second_began_;
  if (age >= kSecond) {
    admission_->logins_before_ = age < 2 * kSecond ? admission_->logins_now_ : 0;
    admission_->logins_now_ = 0;
    admission_->second_began_ = now;
  }
  ++admission_->logins_now_;
}

std::optional<uint64_t> LoginAdmission::Dispensable(MonotonicTime now) {
  const auto is_older = [now](const Line::Entry* entry, absl::Duration age) {
    return now - entry->value.since >= age;
  };
  if (!without_login_.empty()) {
    for (const Line::Entry* entry : {without_login_.OldestOfLargest(), without_login_.Oldest()}) {
      if (is_older(entry, kScarceLoginPause)) return entry->value.session_id;
    }
  }
  if (in_tls_.empty()) return std::nullopt;
  const Line::Entry* const of_largest = in_tls_.OldestOfLargest();
  if (in_tls_.LargestSize() * in_tls_.peers() > in_tls_.size() &&
      is_older(of_largest, kScarceLoginPause)) {
    return of_largest->value.session_id;
  }
  const Line::Entry* const oldest = in_tls_.Oldest();
  if (is_older(oldest, kScarceLoginTimeout)) return oldest->value.session_id;
  return std::nullopt;
}

}  // namespace bellwire::connector
