#ifndef BELLWIRE_NET_TLS_TLS_CLIENT_H_
#define BELLWIRE_NET_TLS_TLS_CLIENT_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/limits.h"
#include "net/loop/epoll_loop.h"
#include "net/socket/stream.h"
#include "net/tls/tls_context.h"
#include "net/tls/tls_session_slot.h"

namespace bellwire::net {

// Connects one device to its servers, and keeps the newest session ticket so that the next
// connection resumes. Single-threaded; must outlive its streams.
class TlsClient {
 public:
  TlsClient(EpollLoop* loop, std::shared_ptr<TlsClientContext> context);

  // Starts to connect to "host:port". OnOpen comes when the TLS handshake is done, or OnClosed with
  // the reason, within `timeout` from now. The addresses of a host name race
  // (connection_race.h). Once open, what the peer does not acknowledge within kHeartbeatAckTimeout
  // ends the connection. `server_name` is what the certificate must be for: a DNS name, which is
  // also asked for (SNI), or an IP address. Empty: the host of `address`.
  //   INVALID_ARGUMENT BAD_ADDRESS, and the reasons of close_reason.h
  std::unique_ptr<Stream> Connect(absl::string_view address, absl::string_view server_name = "",
                                  absl::Duration timeout = kConnectTimeout);

  // What the next connections use. Forgets the ticket: it is of a server that the old one trusted.
  void SetContext(std::shared_ptr<TlsClientContext> context) {
    context_ = std::move(context);
    ForgetTicket();
  }

  // Whether the next connection is going to offer a ticket.
  bool has_ticket() const { return session_.get() != nullptr; }
  void ForgetTicket() { session_.Reset(); }

 private:
  EpollLoop* const loop_;
  std::shared_ptr<TlsClientContext> context_;
  TlsSessionSlot session_;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_TLS_TLS_CLIENT_H_
