#include "net/tls_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "net/acceptor.h"
#include "net/address.h"
#include "net/socket_stream.h"
#include "net/tls_transport.h"

namespace bellwire::net {
namespace {

// Connections that wait to be accepted: what a reconnect storm piles up within one turn of a loop.
// The kernel caps it at net.core.somaxconn.
constexpr int kBacklog = 4096;

class TlsServerImpl final : public TlsServer {
 public:
  TlsServerImpl(EpollLoop* loop, std::shared_ptr<TlsServerContext> context, int fd,
                std::string address, OnAccept on_accept)
      : loop_(loop),
        context_(std::move(context)),
        address_(std::move(address)),
        on_accept_(std::move(on_accept)),
        acceptor_(loop, fd, [this](int fd, const SocketAddress& peer) { Accepted(fd, peer); }) {}

  absl::Status Start() { return acceptor_.Start(); }
  const std::string& address() const override { return address_; }

 private:
  void Accepted(int fd, const SocketAddress& peer) {
    // Frames are small and complete: nothing is won by waiting for more.
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    on_accept_(std::make_unique<SocketStream>(loop_, TlsTransport::Server(context_, fd),
                                              FormatAddress(peer)));
  }

  EpollLoop* const loop_;
  const std::shared_ptr<TlsServerContext> context_;
  const std::string address_;
  OnAccept on_accept_;
  Acceptor acceptor_;
};

absl::Status CannotListen(absl::string_view address) {
  return MakeError(absl::StatusCode::kUnavailable, "CANNOT_LISTEN",
                   absl::StrCat("cannot listen on ", address, ": ", strerror(errno)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsServer>> TlsServer::Listen(
    EpollLoop* loop, std::shared_ptr<TlsServerContext> context, absl::string_view address,
    OnAccept on_accept, PortShare share) {
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
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      (share == PortShare::kBeside && !reuse_port()) ||
      bind(fd, numeric->get(), numeric->size) != 0 ||
      (share == PortShare::kFirst && !reuse_port()) || listen(fd, kBacklog) != 0 ||
      getsockname(fd, bound.get(), &bound.size) != 0) {
    const absl::Status status = CannotListen(address);
    close(fd);
    return status;
  }
  auto server = std::make_unique<TlsServerImpl>(loop, std::move(context), fd, FormatAddress(bound),
                                                std::move(on_accept));
  if (absl::Status status = server->Start(); !status.ok()) return status;
  return server;
}

}  // namespace bellwire::net
