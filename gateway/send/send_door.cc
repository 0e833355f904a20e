#include "gateway/send/send_door.h"

namespace bellwire::gateway {

absl::string_view Name(SendDoor door) {
  switch (door) {
    case SendDoor::kGrpc:
      return "grpc";
    case SendDoor::kJson:
      return "json";
    case SendDoor::kWebPush:
      return "webpush";
    case SendDoor::kApns:
      return "apns";
    case SendDoor::kFcm:
      return "fcm";
    case SendDoor::kNtfy:
      return "ntfy";
    case SendDoor::kMatrix:
      return "matrix";
  }
  return "?";
}

}  // namespace bellwire::gateway
