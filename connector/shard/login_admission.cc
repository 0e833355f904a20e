#include "connector/shard/login_admission.h"

#include "absl/time/time.h"

namespace bellwire::connector {

namespace {

constexpr absl::Duration kSecond = absl::Seconds(1);

}  // namespace

LoginAdmission::Login::Login(LoginAdmission* admission, uint64_t session_id, MonotonicTime now)
    : admission_(admission),
      waiting_(admission->at_peers_.insert(admission->at_peers_.end(), {session_id, now})) {}

LoginAdmission::Login::~Login() {
  if (at_registry_) {
    --admission_->at_registry_;
  } else {
    admission_->at_peers_.erase(waiting_);
  }
}

void LoginAdmission::Login::AwaitRegistry(MonotonicTime now) {
  if (at_registry_) return;
  at_registry_ = true;
  admission_->at_peers_.erase(waiting_);
  ++admission_->at_registry_;
  const absl::Duration age = now - admission_->second_began_;
  if (age >= kSecond) {
    admission_->logins_before_ = age < 2 * kSecond ? admission_->logins_now_ : 0;
    admission_->logins_now_ = 0;
    admission_->second_began_ = now;
  }
  ++admission_->logins_now_;
}

std::optional<uint64_t> LoginAdmission::Overdue(MonotonicTime now) const {
  if (size() < kMaxLoginsPerShard || at_peers_.empty()) return std::nullopt;
  const Waiting& oldest = at_peers_.front();
  if (now - oldest.since < kScarceLoginTimeout) return std::nullopt;
  if (now - second_began_ < 2 * kSecond && logins_now_ + logins_before_ >= kGettingThrough) {
    return std::nullopt;
  }
  return oldest.session_id;
}

}  // namespace bellwire::connector
