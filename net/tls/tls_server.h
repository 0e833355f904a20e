#ifndef BELLWIRE_NET_TLS_TLS_SERVER_H_
#define BELLWIRE_NET_TLS_TLS_SERVER_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/limits.h"
#include "net/loop/epoll_loop.h"
#include "net/socket/stream.h"
#include "net/tls/handshake_queue.h"
#include "net/tls/tls_context.h"

namespace bellwire::net {

// How long waiting sockets rest before it is asked again whether one may start: a fraction of what there is to do
// until then.
inline constexpr absl::Duration kStartRetry = absl::Milliseconds(2);

// Whether an address may have a listener already.
enum class PortShare {
  // Nobody else listens there, or it is CANNOT_LISTEN: two servers by mistake on one port would each
  // get half of its connections.
  kFirst,
  // Listens beside a kFirst of this user: the kernel spreads connections over them (SO_REUSEPORT).
  kBeside,
};

// Accepts TLS connections on one loop. Several loops may listen on one address (PortShare). When descriptors
// or memory run out, or too many sockets wait for their handshake, it leaves further ones to the kernel for a moment
// and goes on. Destroying it stops listening; accepted streams live on. On the loop's thread,
// except Listen, which may also be called before the loop runs.
class TlsServer {
 public:
  // Takes a connection whose handshake is about to start: OnOpen comes when it is done, OnClosed
  // with a named reason if it fails. It has no time-out: the owner closes what takes too long.
  using OnAccept = absl::AnyInvocable<void(std::unique_ptr<Stream> stream)>;

  struct Options {
    PortShare share = PortShare::kFirst;
    // Where handshakes wait for their turn; outlives the streams. Null: they don't wait.
    HandshakeQueue* handshakes = nullptr;
    // Asked before each handshake begins; while it says no, accepted sockets wait, the oldest first, and are
    // nothing but sockets. Null: it always may.
    absl::AnyInvocable<bool()> may_start = nullptr;
    // Sockets that wait for it; further ones stay in the kernel's backlog.
    size_t max_waiting = kMaxWaitingSockets;
  };

  // `address` is "host:port", the host an IP address or empty (every IPv4 address); port 0 takes a
  // free one.
  //   INVALID_ARGUMENT BAD_ADDRESS · UNAVAILABLE CANNOT_LISTEN (it is in use, not ours, …)
  static absl::StatusOr<std::unique_ptr<TlsServer>> Listen(
      EpollLoop* loop, std::shared_ptr<TlsServerContext> context, absl::string_view address,
      OnAccept on_accept, Options options);
  static absl::StatusOr<std::unique_ptr<TlsServer>> Listen(
      EpollLoop* loop, std::shared_ptr<TlsServerContext> context, absl::string_view address,
      OnAccept on_accept) {
    return Listen(loop, std::move(context), address, std::move(on_accept), Options());
  }

  virtual ~TlsServer() = default;

  // "host:port" with the real port.
  virtual const std::string& address() const = 0;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_TLS_TLS_SERVER_H_
