#ifndef BELLWIRE_GATEWAY_TOPICS_FAN_OUT_ID_H_
#define BELLWIRE_GATEWAY_TOPICS_FAN_OUT_ID_H_

#include <cstdint>

#include "common/ids.h"

namespace bellwire::gateway {

// The id of the message that one registration gets of a topic message: a UUID of version 8, made of
// a SHA-256 of the three. Whoever sends it again, after whatever crash, sends it under the same id.
MessageId FanOutMessageId(const MessageId& topic_message, const DeviceId& device,
                          uint64_t registration_id);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_TOPICS_FAN_OUT_ID_H_
