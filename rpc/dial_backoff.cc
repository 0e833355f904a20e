#include "rpc/dial_backoff.h"

#include <algorithm>

#include "common/ids.h"
#include "common/limits.h"

namespace bellwire {

void DialBackoff::OnOpened() { next_delay_ = absl::ZeroDuration(); }

void DialBackoff::OnEnded() {
  const absl::Duration whole = std::max(next_delay_, kConnectorDialBase);
  next_delay_ = std::min(2 * whole, kConnectorDialMax);
  const double fraction = static_cast<double>(RandomUint64() >> 11) * 0x1p-53;  // [0, 1)
  not_before_ = clock_->Monotonic() + whole * (0.5 + 0.5 * fraction);
}

}  // namespace bellwire
