#ifndef BELLWIRE_OPS_SERVICE_MANAGER_H_
#define BELLWIRE_OPS_SERVICE_MANAGER_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

// What a daemon tells systemd, in sd_notify(3)'s protocol: datagrams of lines to the Unix socket in
// NOTIFY_SOCKET. Ours and not libsystemd's because it is thirty lines, and that library brings four
// others.
namespace bellwire {

// Sends `state`, such as "READY=1" or "WATCHDOG=1". OK as well if nobody asked to be told. Never
// blocks. Thread-safe.
//   UNAVAILABLE: the socket can't be written. A daemon goes on.
absl::Status NotifyServiceManager(absl::string_view state);

// How long systemd waits between two "WATCHDOG=1" before it takes this process for hung
// (WATCHDOG_USEC). Nullopt: it does not.
std::optional<absl::Duration> WatchdogInterval();

}  // namespace bellwire

#endif  // BELLWIRE_OPS_SERVICE_MANAGER_H_
