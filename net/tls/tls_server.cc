#include "net/tls/tls_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <deque>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "net/socket/acceptor.h"
#include "net/socket/address.h"
#include "net/socket/socket_stream.h"
#include "net/tls/tls_transport.h"

namespace bellwire::net {
namespace {

// Connections that wait to be accepted: what a reconnect storm piles up within one turn of a loop.
// The kernel caps it at net.core.somaxconn.
constexpr int kBacklog = 4096;

// Whether the peer has given up. It may have said something before.
bool IsGone(int fd) {
  pollfd poll_fd = {.fd = fd, .events = POLLRDHUP, .revents = 0};
  return poll(&poll_fd, 1, /*timeout=*/0) > 0;
}

class TlsServerImpl final : public TlsServer {
 public:
  TlsServerImpl(EpollLoop* loop, std::shared_ptr<TlsServerContext> context, int fd,
                std::string address, OnAccept on_accept, Options options)
      : loop_(loop),
        context_(std::move(context)),
        address_(std::move(address)),
        on_accept_(std::move(on_accept)),
        handshakes_(options.handshakes),
        may_start_(std::move(options.may_start)),
        retry_(loop->NewTimer([this] { StartWaiting(); })),
        acceptor_(
            loop, fd, [this](int fd, const SocketAddress& peer) { Accepted(fd, peer); },
            [this, max = options.max_waiting] { return waiting_.size() < max; }) {}
  ~TlsServerImpl() override {
    for (const Waiting& waiting : waiting_) close(waiting.fd);
  }

  absl::Status Start() { return acceptor_.Start(); }
  const std::string& address() const override { return address_; }

 private:
  struct Waiting {
    int fd;
    std::string peer_name;
  };

  void Accepted(int fd, const SocketAddress& peer) {
    if (waiting_.empty() && MayStart()) return Start(fd, FormatAddress(peer));
    waiting_.push_back({fd, FormatAddress(peer)});
    if (!retry_->armed()) retry_->Arm(kStartRetry);
  }

  void StartWaiting() {
    while (!waiting_.empty()) {
      if (!MayStart()) return retry_->Arm(kStartRetry);
      const Waiting next = std::move(waiting_.front());
      waiting_.pop_front();
      if (IsGone(next.fd)) {
        close(next.fd);
        continue;
      }
      Start(next.fd, next.peer_name);
      if (loop_->deletions_pending()) return retry_->Arm(kStartRetry);  // Perhaps ourselves.
    }
  }

  bool MayStart() { return may_start_ == nullptr || may_start_(); }
  void Start(int fd, const std::string& peer_name) {
    on_accept_(std::make_unique<SocketStream>(loop_, TlsTransport::Server(context_, fd), peer_name,
                                              handshakes_));
  }

  EpollLoop* const loop_;
  const std::shared_ptr<TlsServerContext> context_;
  const std::string address_;
  OnAccept on_accept_;
  HandshakeQueue* const handshakes_;
  absl::AnyInvocable<bool()> may_start_;
  // In the order in which they came.
  std::deque<Waiting> waiting_;
  const std::unique_ptr<Timer> retry_;
  Acceptor acceptor_;
};

absl::Status CannotListen(absl::string_view address) {
  return MakeError(absl::StatusCode::kUnavailable, "CANNOT_LISTEN",
                   absl::StrCat("cannot listen on ", address, ": ", strerror(errno)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsServer>> TlsServer::Listen(
    EpollLoop* loop, std::shared_ptr<TlsServerContext> context, absl::string_view address,
    OnAccept on_accept, Options options) {
  const absl::StatusOr<HostPort> parts = ParseHostPort(address);
  if (!parts.ok()) return parts.status();
  const std::optional<SocketAddress> numeric =
      NumericAddress(parts->host.empty() ? "0.0.0.0" : parts->host, parts->port);
  if (!numeric.has_value()) {
    return MakeError(
        absl::StatusCode::kInvalidArgument, "BAD_ADDRESS",
        absl::StrCat("\"", address, "\": the host to listen on must be an IP address"));
  }
  const int fd = socket(numeric->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return CannotListen(address);
  const int on = 1;
  SocketAddress bound;
  bound.size = sizeof(bound.storage);
  const auto reuse_port = [fd, &on] {
    return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0;
  };
  // SO_REUSEADDR: a restart may bind although old connections linger in TIME_WAIT. SO_REUSEPORT
  // before bind() shares the port with who has it, and after bind() lets others share it.
  // TCP_NODELAY, which accepted sockets inherit: frames are small and complete, nothing is won by waiting for
  // more.
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
      (options.share == PortShare::kBeside && !reuse_port()) ||
      bind(fd, numeric->get(), numeric->size) != 0 ||
      (options.share == PortShare::kFirst && !reuse_port()) || listen(fd, kBacklog) != 0 ||
      getsockname(fd, bound.get(), &bound.size) != 0) {
    const absl::Status status = CannotListen(address);
    close(fd);
    return status;
  }
  auto server = std::make_unique<TlsServerImpl>(loop, std::move(context), fd, FormatAddress(bound),
                                                std::move(on_accept), std::move(options));
  if (absl::Status status = server->Start(); !status.ok()) return status;
  return server;
}

}  // namespace bellwire::net
