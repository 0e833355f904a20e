#include "common/log_limit.h"

#include <utility>

namespace bellwire {

std::optional<uint64_t> LogLimit::Take() {
  const MonotonicTime now = clock_->Monotonic();
  absl::MutexLock lock(&mutex_);
  if (!began_.has_value() || now - *began_ >= kInterval) {
    began_ = now;
    lines_ = 0;
  }
  if (lines_ == kLines) {
    ++unsaid_;
    return std::nullopt;
  }
  ++lines_;
  return std::exchange(unsaid_, 0);
}

}  // namespace bellwire
