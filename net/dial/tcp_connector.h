#ifndef BELLWIRE_NET_DIAL_TCP_CONNECTOR_H_
#define BELLWIRE_NET_DIAL_TCP_CONNECTOR_H_

#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "net/dial/connection_race.h"
#include "net/loop/epoll_loop.h"
#include "net/socket/address.h"

namespace bellwire::net {

// Opens a TCP connection to whichever of a host's addresses answers first: the sockets of a
// ConnectionRace. Single-threaded; may be destroyed in any callback but its own (DeleteLater after
// Cancel).
class TcpConnector {
 public:
  // A connected, non-blocking socket, which is the callee's then; or UNAVAILABLE CANNOT_CONNECT
  // with what became of the last attempt.
  using Done = absl::AnyInvocable<void(absl::StatusOr<int> fd)>;

  // `addresses`: at least one, the best first. `done` is called once, unless Cancel comes first:
  // from the loop, or with an error from inside Start.
  TcpConnector(EpollLoop* loop, const std::vector<SocketAddress>& addresses, Done done);
  ~TcpConnector();

  void Start();
  // Closes what is under way; nothing is called any more.
  void Cancel();

 private:
  struct Attempt;

  // Begins what the race says, and waits for the rest.
  void Advance();
  // 0, or why this attempt can't begin.
  int Begin(Attempt* attempt);
  void OnReady(Attempt* attempt);
  void OnFailed(Attempt* attempt, int error);

  EpollLoop* const loop_;
  Done done_;
  ConnectionRace race_;
  const std::unique_ptr<Timer> next_start_;
  std::vector<std::unique_ptr<Attempt>> attempts_;
  absl::Status last_error_;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_DIAL_TCP_CONNECTOR_H_
