#ifndef BELLWIRE_NET_DIAL_CONNECTION_RACE_H_
#define BELLWIRE_NET_DIAL_CONNECTION_RACE_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "common/clock.h"
#include "common/limits.h"
#include "net/socket/address.h"

namespace bellwire::net {

// In the order of RFC 8305, 4: the first one stays the first, its family and the other take turns,
// and within a family nothing changes places. The first kMaxConnectionAttempts of them.
std::vector<SocketAddress> InterleaveFamilies(const std::vector<SocketAddress>& addresses);

// When to try which of a host's addresses (RFC 8305, "Happy Eyeballs"): one after the other,
// kConnectionAttemptDelay apart or as soon as one failed, and all that have begun go on until one
// of them connects. A broken IPv6 costs a quarter of a second then, and not a time-out.
//
// Pure: knows no socket. Thread-compatible.
class ConnectionRace {
 public:
  // Attempts are numbered as `addresses` are.
  explicit ConnectionRace(size_t attempts) : attempts_(attempts) {}

  // The attempt that is to begin now; ask until there is none.
  std::optional<size_t> Next(MonotonicTime now);
  // One that had begun failed: the next one needn't wait.
  void OnFailed();
  // When Next has another one; nullopt: all have begun.
  std::optional<MonotonicTime> next_start() const;
  // All have begun, and failed.
  bool lost() const { return begun_ == attempts_ && running_ == 0; }

 private:
  const size_t attempts_;
  size_t begun_ = 0;
  size_t running_ = 0;
  // Of the first: long ago.
  MonotonicTime next_start_;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_DIAL_CONNECTION_RACE_H_
