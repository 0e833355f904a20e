#include "net/tls/tls_server.h"

#include <errno.h>

#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "net/socket/acceptor.h"
#include "net/socket/address.h"
#include "net/socket/socket_stream.h"
#include "net/tls/hello_ticket.h"
#include "net/tls/tls_transport.h"

namespace bellwire::net {
namespace {

constexpr char kEveryAddress[] = "::";

class TlsServerImpl final : public TlsServer {
 public:
  TlsServerImpl(EpollLoop* loop, std::shared_ptr<TlsServerContext> context, int fd,
                std::string address, OnArrival on_arrival, Options options)
      : loop_(loop),
        context_(std::move(context)),
        address_(std::move(address)),
        on_arrival_(std::move(on_arrival)),
        handshakes_(options.handshakes),
        may_start_(std::move(options.may_start)),
        retry_(loop->NewTimer([this] { StartWaiting(); })),
        waiting_(loop,
                 {.descriptors = options.descriptors,
                  .max_sockets = options.max_waiting,
                  .silent_timeout = options.silent_timeout,
                  .proof = [this](absl::string_view hello) { return TicketOf(hello); },
                  .make_room = std::move(options.make_room),
                  .on_lost = std::move(options.on_lost)},
                 [this] { StartWaiting(); }),
        acceptor_(loop, fd, [this](int fd, const SocketAddress& peer) { waiting_.Add(fd, peer); }) {
  }

  absl::Status Start() {
    absl::Status status = waiting_.Start();
    return status.ok() ? acceptor_.Start() : status;
  }
  const std::string& address() const override { return address_; }
  void SetContext(std::shared_ptr<TlsServerContext> context) override {
    context_ = std::move(context);
  }

 private:
  void StartWaiting() {
    if (retry_->armed()) return;
    while (waiting_.has_next()) {
      if (!MayStart()) return retry_->Arm(kStartRetry);
      std::optional<WaitingRoom::Guest> next = waiting_.Next();
      if (next.has_value()) Start(*std::move(next));
      if (loop_->deletions_pending()) return retry_->Arm(kStartRetry);  // Perhaps ourselves.
    }
  }

  bool MayStart() { return may_start_ == nullptr || may_start_(); }
  void Start(WaitingRoom::Guest guest) {
    auto transport = TlsTransport::Server(context_, guest.fd);
    transport->socket().Count(std::move(guest.unit));
    on_arrival_(std::make_unique<SocketStream>(loop_, std::move(transport),
                                               FormatAddress(guest.address), handshakes_),
                {.peer = guest.peer,
                 .address = PeerKey::OfAddress(guest.address),
                 .silent_for = guest.silent_for});
  }

  std::optional<PeerKey> TicketOf(absl::string_view hello) {
    const std::optional<absl::string_view> ticket = TicketInHello(hello);
    if (!ticket.has_value()) return std::nullopt;
    const auto mac = MacOfOurTicket(*ticket, &context_->ticket_keys());
    return mac.has_value() ? std::make_optional(PeerKey::OfProof(*mac)) : std::nullopt;
  }

  EpollLoop* const loop_;
  std::shared_ptr<TlsServerContext> context_;
  const std::string address_;
  OnArrival on_arrival_;
  HandshakeQueue* const handshakes_;
  absl::AnyInvocable<bool()> may_start_;
  const std::unique_ptr<Timer> retry_;
  WaitingRoom waiting_;
  Acceptor acceptor_;
};

absl::Status CannotListen(absl::string_view address) {
  return MakeError(absl::StatusCode::kUnavailable, "CANNOT_LISTEN",
                   absl::StrCat("cannot listen on ", address, ": ", strerror(errno)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsServer>> TlsServer::Listen(
    EpollLoop* loop, std::shared_ptr<TlsServerContext> context, absl::string_view address,
    OnArrival on_arrival, Options options) {
  const absl::StatusOr<HostPort> parts = ParseHostPort(address);
  if (!parts.ok()) return parts.status();
  const bool every = parts->host.empty() || parts->host == kEveryAddress;
  const std::optional<SocketAddress> numeric =
      NumericAddress(every ? kEveryAddress : parts->host, parts->port);
  if (!numeric.has_value()) {
    return MakeError(
        absl::StatusCode::kInvalidArgument, "BAD_ADDRESS",
        absl::StrCat("\"", address, "\": the host to listen on must be an IP address"));
  }
  SocketAddress bound;
  int fd = ListenAt(*numeric, options.share, &bound);
  if (fd < 0 && every && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
    // A machine without IPv6.
    fd = ListenAt(*NumericAddress("0.0.0.0", parts->port), options.share, &bound);
  }
  if (fd < 0) return CannotListen(address);
  auto server = std::make_unique<TlsServerImpl>(loop, std::move(context), fd, FormatAddress(bound),
                                                std::move(on_arrival), std::move(options));
  if (absl::Status status = server->Start(); !status.ok()) return status;
  return server;
}

}  // namespace bellwire::net
