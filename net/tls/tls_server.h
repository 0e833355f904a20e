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
#include "net/peers/peer_key.h"
#include "net/peers/waiting_room.h"
#include "net/socket/descriptor_budget.h"
#include "net/socket/listen_tcp.h"
#include "net/socket/stream.h"
#include "net/tls/handshake_queue.h"
#include "net/tls/tls_context.h"

namespace bellwire::net {

// How long waiting sockets rest before it is asked again whether one may start: a fraction of what
// there is to do until then.
inline constexpr absl::Duration kStartRetry = absl::Milliseconds(2);

// How a connection came.
struct Arrival {
  // Whom it counts for: its address, or the session ticket of ours that it shows.
  PeerKey peer;
  // Its address, whatever it shows.
  PeerKey address;
  // How long it took to say something. Time that it had to wait for us after that isn't part of it.
  absl::Duration silent_for;
};

// Accepts TLS connections on one loop. Several loops may listen on one address (PortShare). A
// socket costs next to nothing until its peer has said something; then it waits for its turn
// (net/peers/waiting_room.h says who goes when there is no room). When the process runs out of
// descriptors or memory, further ones stay in the kernel's backlog for a moment. Destroying it
// stops listening; accepted streams live on. On the loop's thread, except Listen, which may also be
// called before the loop runs.
class TlsServer {
 public:
  // Takes a connection whose handshake is about to start: OnOpen comes when it is done, OnClosed
  // with a named reason if it fails. It has no time-out: the owner closes what takes too long.
  using OnAccept = absl::AnyInvocable<void(std::unique_ptr<Stream> stream)>;
  // The same, for owners that share out places.
  using OnArrival =
      absl::AnyInvocable<void(std::unique_ptr<Stream> stream, const Arrival& arrival)>;

  struct Options {
    PortShare share = PortShare::kFirst;
    // Where handshakes wait for their turn; outlives the streams. Null: they don't wait.
    HandshakeQueue* handshakes = nullptr;
    // Asked before each handshake begins; while it says no, sockets that have spoken wait, and are
    // nothing but sockets. Null: it always may.
    absl::AnyInvocable<bool()> may_start = nullptr;
    // Sockets that wait to speak or to be heard.
    size_t max_waiting = kMaxWaitingSockets;
    // Closed when it has said nothing for so long.
    absl::Duration silent_timeout = kLoginTimeout;
    // As of WaitingRoom::Options. Streams count too, until their descriptor is closed.
    DescriptorBudget* descriptors = nullptr;
    absl::AnyInvocable<bool()> make_room = nullptr;
    absl::AnyInvocable<void(WaitingRoom::Loss)> on_lost = nullptr;
  };

  // `address` is "host:port", the host an IP address or empty; port 0 takes a free one. An empty
  // host and "[::]" are every address of the machine, IPv6 and IPv4.
  //   INVALID_ARGUMENT BAD_ADDRESS · UNAVAILABLE CANNOT_LISTEN (it is in use, not ours, …)
  static absl::StatusOr<std::unique_ptr<TlsServer>> Listen(
      EpollLoop* loop, std::shared_ptr<TlsServerContext> context, absl::string_view address,
      OnArrival on_arrival, Options options);
  static absl::StatusOr<std::unique_ptr<TlsServer>> Listen(
      EpollLoop* loop, std::shared_ptr<TlsServerContext> context, absl::string_view address,
      OnAccept on_accept, Options options) {
    return Listen(loop, std::move(context), address,
                  OnArrival([on_accept = std::move(on_accept)](std::unique_ptr<Stream> stream,
                                                               const Arrival&) mutable {
                    on_accept(std::move(stream));
                  }),
                  std::move(options));
  }
  static absl::StatusOr<std::unique_ptr<TlsServer>> Listen(
      EpollLoop* loop, std::shared_ptr<TlsServerContext> context, absl::string_view address,
      OnAccept on_accept) {
    return Listen(loop, std::move(context), address, std::move(on_accept), Options());
  }

  virtual ~TlsServer() = default;

  // "host:port" with the real port.
  virtual const std::string& address() const = 0;
  // What handshakes that begin from now on use. Streams keep the context that they began with.
  virtual void SetContext(std::shared_ptr<TlsServerContext> context) = 0;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_TLS_TLS_SERVER_H_
