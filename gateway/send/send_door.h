#ifndef BELLWIRE_GATEWAY_SEND_SEND_DOOR_H_
#define BELLWIRE_GATEWAY_SEND_SEND_DOOR_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace bellwire::gateway {

// Through which door a message came.
enum class SendDoor : uint8_t { kGrpc, kJson, kWebPush, kApns, kFcm, kNtfy, kMatrix };
inline constexpr size_t kSendDoors = 7;

// "grpc", …: as --doors_off names them.
absl::string_view Name(SendDoor door);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_SEND_SEND_DOOR_H_
