#ifndef BELLWIRE_REGISTRY_MAILBOX_RETENTION_H_
#define BELLWIRE_REGISTRY_MAILBOX_RETENTION_H_

#include <cstdint>

#include "absl/time/time.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/limits.h"

namespace bellwire::registry {

// For how long what has ended is kept. A change holds for what ends from then on: what has ended
// before keeps its time in the timeline.
struct Retention {
  // What became of a message, from its end on; receipts of a feed, from when they came into it; a
  // topic message. A retry is answered from the first, so it is never less than the window of
  // retries.
  absl::Duration receipts = kReceiptRetention;
  // A dead token, from its death on. Never less than the promise of 30 days, and the longest life
  // of a message that the agent had taken before.
  absl::Duration dead_tokens = kDeadTokenRetention;
};

inline constexpr absl::Duration kMinReceiptRetention = kIdempotencyWindow;
inline constexpr absl::Duration kMaxReceiptRetention = absl::Hours(90 * 24);
inline constexpr absl::Duration kMaxDeadTokenRetention = absl::Hours(400 * 24);

// When a dead registration is forgotten.
inline int64_t ForgetAtMs(const storage::v1::Registration& registration) {
  // Of a store that is older than the field.
  if (registration.forget_at_ms() == 0) {
    return registration.removed_at_ms() + absl::ToInt64Milliseconds(kDeadTokenRetention);
  }
  return registration.forget_at_ms();
}

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_MAILBOX_RETENTION_H_
