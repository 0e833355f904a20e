#ifndef BELLWIRE_DEVICE_AGENT_COMPANION_BROWSER_AUTOPUSH_MESSAGE_H_
#define BELLWIRE_DEVICE_AGENT_COMPANION_BROWSER_AUTOPUSH_MESSAGE_H_

#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "device-agent/companion/subscription_hub.h"

// The messages of the autopush WebSocket protocol, which Firefox speaks to its push server: one
// JSON object in each text frame. Pure functions.
namespace bellwire::companion {

// The largest message that a browser may send. Firefox's own have some 200 bytes.
inline constexpr size_t kMaxAutopushMessageBytes = 16 * 1024;
// Browsers use UUIDs.
inline constexpr size_t kMaxChannelIdBytes = 64;
// Acknowledgements in one message; Firefox sends one.
inline constexpr size_t kMaxAutopushUpdates = 64;

// The first message of a browser.
struct AutopushHello {
  // The id that it was given earlier. Empty: it has none, or needs none.
  std::string uaid;
};
// A page subscribes.
struct AutopushRegister {
  // Chosen by the browser: 1 to kMaxChannelIdBytes of letters, digits, '-' and '_'.
  std::string channel_id;
  // 65 bytes, decoded from base64url. Empty: the page gave none.
  std::string vapid_key;
};
struct AutopushUnregister {
  std::string channel_id;
};
struct AutopushAck {
  struct Update {
    std::string channel_id;
    std::string version;
    // 100 delivered, 101 not decrypted, 102 not delivered for another reason. 0: not said.
    int code = 0;
  };
  std::vector<Update> updates;
};
// The page's service worker failed after the acknowledgement.
struct AutopushNack {
  std::string version;
  int code = 0;
};
// Asks for an empty object in return.
struct AutopushPing {};
// What the protocol has and Bellwire does not (broadcast_subscribe), and what is not known.
struct AutopushOther {};

using AutopushRequest = std::variant<AutopushHello, AutopushRegister, AutopushUnregister,
                                     AutopushAck, AutopushNack, AutopushPing, AutopushOther>;

// INVALID_ARGUMENT: no JSON object, or one whose fields break the bounds above.
absl::StatusOr<AutopushRequest> ParseAutopushRequest(absl::string_view text);

// What is said to the browser.
std::string RenderHello(absl::string_view uaid);
std::string RenderRegistered(absl::string_view channel_id, absl::string_view endpoint);
// `status` is anything but 200; `reason` is for the browser's log.
std::string RenderNotRegistered(absl::string_view channel_id, int status, absl::string_view reason);
std::string RenderUnregistered(absl::string_view channel_id, int status);
std::string RenderNotification(absl::string_view channel_id, absl::string_view version,
                               const Message& message);
std::string RenderPong();

}  // namespace bellwire::companion

#endif  // BELLWIRE_DEVICE_AGENT_COMPANION_BROWSER_AUTOPUSH_MESSAGE_H_
