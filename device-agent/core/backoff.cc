#include "device-agent/core/backoff.h"

#include <algorithm>
#include <cstdint>

#include "absl/random/uniform_int_distribution.h"

namespace bellwire::agent {

Backoff::Backoff(absl::Duration base, absl::Duration max, absl::BitGenRef random)
    : base_(base), max_(max), random_(random) {}

absl::Duration Backoff::Next() {
  // 2^30 times any base worth using is above any maximum worth using: no overflow to think about.
  const absl::Duration ceiling = std::min(max_, base_ * (int64_t{1} << std::min(failures_, 30)));
  ++failures_;
  const int64_t ceiling_ms = absl::ToInt64Milliseconds(ceiling);
  return absl::Milliseconds(absl::uniform_int_distribution<int64_t>(0, ceiling_ms)(random_));
}

}  // namespace bellwire::agent
