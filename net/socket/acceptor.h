#ifndef BELLWIRE_NET_SOCKET_ACCEPTOR_H_
#define BELLWIRE_NET_SOCKET_ACCEPTOR_H_

#include <cstdint>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "net/loop/epoll_loop.h"
#include "net/socket/address.h"

namespace bellwire::net {

// How long a listener rests when the machine has no descriptor or memory left: long enough not to
// spin, short enough that nobody waiting in the backlog gives up.
inline constexpr absl::Duration kAcceptBackOff = absl::Milliseconds(100);

// What it says about that in the log, it says so seldom.
inline constexpr absl::Duration kAcceptLogInterval = absl::Minutes(1);

// Accepts the connections of one listening socket. No error ends or spins it, running out of
// descriptors as little as any other: it rests for kAcceptBackOff, again and again. On the loop's
// thread.
class Acceptor {
 public:
  // `fd` is non-blocking and close-on-exec, and the callee's.
  using OnAccept = absl::AnyInvocable<void(int fd, const SocketAddress& peer)>;

  // Takes over `listening_fd`, which is non-blocking. `on_accept` may delete the acceptor later.
  Acceptor(EpollLoop* loop, int listening_fd, OnAccept on_accept);
  ~Acceptor();

  // RESOURCE_EXHAUSTED if the kernel can't watch the socket.
  absl::Status Start();

 private:
  void OnReady();
  // Whether it makes sense to go on at once.
  bool AcceptOne();
  void Rest(int error);

  EpollLoop* const loop_;
  const int fd_;
  OnAccept on_accept_;
  const std::unique_ptr<Timer> back_off_;
  // When the log may be told again.
  MonotonicTime quiet_until_;
  FdWatch watch_;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_SOCKET_ACCEPTOR_H_
