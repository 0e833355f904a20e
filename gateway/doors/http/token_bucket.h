#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_TOKEN_BUCKET_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_TOKEN_BUCKET_H_

#include <algorithm>

#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire::http {

// Allows `burst` things at once and `per_second` over time. Starts full. Single-threaded.
class TokenBucket {
 public:
  TokenBucket(double burst, double per_second, MonotonicTime now)
      : burst_(burst), per_second_(per_second), tokens_(burst), filled_at_(now) {}

  // False: that was one too many.
  bool Take(MonotonicTime now) {
    // Also while there are some: what a full bucket did not take must not count later.
    Earn(absl::ToDoubleSeconds(now - filled_at_) * per_second_);
    filled_at_ = now;
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }
  void Earn(double tokens) { tokens_ = std::min(burst_, tokens_ + tokens); }

 private:
  const double burst_;
  const double per_second_;
  double tokens_;
  MonotonicTime filled_at_;
};

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_TOKEN_BUCKET_H_
