#ifndef BELLWIRE_GATEWAY_DOORS_CONSOLE_CONSOLE_SESSIONS_H_
#define BELLWIRE_GATEWAY_DOORS_CONSOLE_CONSOLE_SESSIONS_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire::gateway {

// Logins at a time. Beyond it the one that was used least recently ends.
inline constexpr size_t kMaxConsoleSessions = 256;
// After so long without a request or an open stream a login ends.
inline constexpr absl::Duration kConsoleIdleTime = absl::Hours(1);
// After so long it ends in any case: a working day.
inline constexpr absl::Duration kConsoleSessionTime = absl::Hours(12);

// Who is logged in.
struct ConsoleSession {
  std::string name;
  // What the administrator logged in with. Each call is made with it, so that an administrator who
  // is removed, or gets another role, has it with the next call.
  std::string admin_token;
};

// Logins at the console of this process: in memory, so they end with it. Thread-safe.
class ConsoleSessions {
 public:
  // `clock` outlives this.
  explicit ConsoleSessions(const Clock* clock) : clock_(clock) {}

  // The secret that names the new session: 64 hex digits of 256 random bits.
  std::string Begin(ConsoleSession session);
  // nullopt: there is none, or it has ended. Counts as use.
  std::optional<ConsoleSession> Find(absl::string_view secret);
  void End(absl::string_view secret);
  size_t size();

 private:
  struct Entry {
    ConsoleSession session;
    MonotonicTime begun;
    MonotonicTime used;
  };
  bool HasEnded(const Entry& entry, MonotonicTime now) const;

  const Clock* const clock_;
  absl::Mutex mu_;
  // By the hash of the secret: how long a look takes says nothing about one.
  absl::flat_hash_map<std::string, Entry> entries_ ABSL_GUARDED_BY(mu_);
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_CONSOLE_CONSOLE_SESSIONS_H_
