#ifndef BELLWIRE_DEVICE_AGENT_COMPANION_BROWSER_BROWSER_DOOR_H_
#define BELLWIRE_DEVICE_AGENT_COMPANION_BROWSER_BROWSER_DOOR_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// Where the user's browsers find the companion, and which requests it takes there. Any web page and
// any user of this machine can connect to a port on loopback: so the path holds a secret, and the
// fields Host and Origin must be those that Firefox sends for exactly this URL.
namespace bellwire::companion {

struct BrowserDoor {
  // On 127.0.0.1.
  uint16_t port = 0;
  // 128 random bits, as 32 hex digits.
  std::string secret;

  // "ws://127.0.0.1:PORT/SECRET": what Firefox has as dom.push.serverURL.
  std::string url() const;
  // "127.0.0.1:PORT".
  std::string host() const;
};

// Where a companion with this state directory keeps its door.
std::string BrowserDoorPath(const std::string& state_dir);

// The door of this user, from the file `path`. Where there is no file it chooses a port that is
// free now and a secret, and writes them, mode 0600. Blocking; several processes may do it at once.
//   FAILED_PRECONDITION   others may read the file, or it makes no sense; the message says what to
//                         do
//   UNAVAILABLE           the file can't be read or written, or no port is free
absl::StatusOr<BrowserDoor> LoadOrCreateBrowserDoor(const std::string& path);

// What decides whether a request is a browser's of this user; the peer's user id is checked apart.
struct UpgradeRequest {
  absl::string_view target;
  // Every field of that name: more than one is refused.
  std::vector<absl::string_view> hosts;
  std::vector<absl::string_view> origins;
};

// OK for the requests of Firefox's own push connection (its Origin is the whole URL, which no page
// has), and of programs that send no Origin. Otherwise PERMISSION_DENIED with a text for the log.
absl::Status CheckUpgrade(const BrowserDoor& door, const UpgradeRequest& request);

}  // namespace bellwire::companion

#endif  // BELLWIRE_DEVICE_AGENT_COMPANION_BROWSER_BROWSER_DOOR_H_
