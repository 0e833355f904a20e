#ifndef BELLWIRE_NET_SOCKET_ACCEPTOR_H_
#define BELLWIRE_NET_SOCKET_ACCEPTOR_H_

#include <cstdint>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "net/loop/epoll_loop.h"
#include "net/socket/address.h"

namespace bellwire::net {

// How long a listener rests when the machine has no descriptor or memory left: long enough not to
// spin, short enough that nobody waiting in the backlog gives up.
inline constexpr absl::Duration kAcceptBackOff = absl::Milliseconds(100);

// Accepts the connections of one listening socket. Running out of descriptors neither ends nor
// spins it: it rests for kAcceptBackOff, again and again, and says so in the log once. On the
// loop's thread.
class Acceptor {
 public:
  // `fd` is non-blocking and close-on-exec, and the callee's.
  using OnAccept = absl::AnyInvocable<void(int fd, const SocketAddress& peer)>;

  // Asked before each connection whether there is room for one; without it, connections stay in the kernel's
  // backlog until the next rest is over.
  using MayAccept = absl::AnyInvocable<bool()>;

  // Takes over `listening_fd`, which is non-blocking. `on_accept` may delete the acceptor later. Without
  // `may_accept` there always is room.
  Acceptor(EpollLoop* loop, int listening_fd, OnAccept on_accept, MayAccept may_accept = nullptr);
  ~Acceptor();

  // RESOURCE_EXHAUSTED if the kernel can't watch the socket.
  absl::Status Start();

 private:
  void OnReady();
  // Whether it makes sense to go on at once.
  bool AcceptOne();

  EpollLoop* const loop_;
  const int fd_;
  OnAccept on_accept_;
  MayAccept may_accept_;
  const std::unique_ptr<Timer> back_off_;
  bool starved_ = false;
  FdWatch watch_;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_SOCKET_ACCEPTOR_H_
