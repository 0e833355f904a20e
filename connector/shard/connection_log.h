#ifndef BELLWIRE_CONNECTOR_SHARD_CONNECTION_LOG_H_
#define BELLWIRE_CONNECTOR_SHARD_CONNECTION_LOG_H_

#include <optional>
#include <string>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "common/clock.h"

namespace bellwire::connector {

// What a shard's log says of connections: a bounded number of lines in an interval, so that nobody
// can fill a disk by connecting. The rest is counted by kind. Single-threaded.
class ConnectionLog {
 public:
  // Outlived by `clock`.
  explicit ConnectionLog(const Clock* clock) : clock_(clock), began_(clock->Monotonic()) {}

  // Whether a line may be written about a connection that never had a session, or about a session.
  // Counts it otherwise. `kind` is one of a fixed set.
  bool MayTellOfStranger(absl::string_view kind);
  bool MayTellOfSession(absl::string_view kind);
  // Something that is never worth a line of its own, such as a probe of the port.
  void Count(absl::string_view kind) { ++untold_[kind]; }

  // When an interval is over: what wasn't told, such as "probe=7 login_timeout=1204"; empty if
  // nothing but probes. Begins the next interval. Nullopt: it isn't over.
  std::optional<std::string> Summary();

  // Kinds beyond the reasons of CloseReason.
  static constexpr absl::string_view kProbe = "probe";
  static constexpr absl::string_view kSilentSocket = "silent_socket";
  static constexpr absl::string_view kNoRoom = "no_room";
  static constexpr absl::string_view kTooMany = "too_many_connections";
  static constexpr absl::string_view kSessionStarted = "session_started";

 private:
  bool MayTell(absl::string_view kind, int* lines, int max_lines);

  const Clock* const clock_;
  MonotonicTime began_;
  int stranger_lines_ = 0;
  int session_lines_ = 0;
  absl::btree_map<absl::string_view, int> untold_;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SHARD_CONNECTION_LOG_H_
