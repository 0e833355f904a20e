#ifndef BELLWIRE_REGISTRY_MAILBOX_EXPIRY_H_
#define BELLWIRE_REGISTRY_MAILBOX_EXPIRY_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/limits.h"

// When a message that waits is over, said once for pages, the sweeper and a full mailbox.
namespace bellwire::registry {

inline constexpr absl::string_view kExpiredDetail = "its ttl ran out before the device took it";

// From this time on the message is not handed out any more. 0: it never expires (a gap notice).
inline bool IsExpired(int64_t expires_at_ms, int64_t now_ms) {
  return expires_at_ms != 0 && expires_at_ms <= now_ms;
}

// From this time on its end is written. While the device has a session the message may be on its
// way, and the acknowledgement that comes within the grace tells the truth: EXPIRED would not.
inline int64_t ExpiryDueMs(int64_t expires_at_ms, bool connected) {
  return expires_at_ms + (connected ? absl::ToInt64Milliseconds(kExpiryGrace) : 0);
}

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_MAILBOX_EXPIRY_H_
