#ifndef BELLWIRE_REGISTRY_MAILBOX_WAITING_BYTES_H_
#define BELLWIRE_REGISTRY_MAILBOX_WAITING_BYTES_H_

#include <cstdint>

#include "bellwire/internal/v1/internal.pb.h"

namespace bellwire::registry {

// What the records of a message that waits take beside its payload: its own fields, its entry in
// the registration and in the timeline.
inline constexpr uint32_t kMessageOverheadBytes = 256;

// What a message counts towards quotas of bytes waiting.
inline uint32_t WaitingBytes(const internal::v1::Envelope& message) {
  return kMessageOverheadBytes + static_cast<uint32_t>(message.payload().size());
}

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_MAILBOX_WAITING_BYTES_H_
