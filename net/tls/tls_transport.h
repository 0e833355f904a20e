#ifndef BELLWIRE_NET_TLS_TLS_TRANSPORT_H_
#define BELLWIRE_NET_TLS_TLS_TRANSPORT_H_

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "net/socket/transport.h"
#include "net/tls/tls_connection_state.h"
#include "net/tls/tls_context.h"
#include "net/tls/tls_session_slot.h"

namespace bellwire::net {

// TLS over a socket: all that there is of OpenSSL's connections. Errors carry the reasons of
// close_reason.h.
class TlsTransport final : public Transport {
 public:
  // The accepting side. Takes over `fd`, as does Client.
  static std::unique_ptr<TlsTransport> Server(std::shared_ptr<TlsServerContext> context, int fd);
  // The connecting side, to a server whose certificate must be for `server_name`. `slot`, if any,
  // holds the session to resume and gets newer ones; it must outlive the transport.
  static std::unique_ptr<TlsTransport> Client(std::shared_ptr<TlsClientContext> context, int fd,
                                              absl::string_view server_name, TlsSessionSlot* slot);
  ~TlsTransport() override;

  Result Handshake() override;
  Result Read(absl::Span<char> buffer) override;
  Result Write(absl::string_view data) override;
  void FinishWriting() override;
  std::string tls_exporter() override;
  std::string resumed_ticket_data() override {
    return resumed_ticket_data_ != nullptr ? *resumed_ticket_data_ : std::string();
  }
  void SendTicket(absl::string_view data) override;
  std::string alpn() override;

 private:
  TlsTransport(std::shared_ptr<void> context, SSL_CTX* ctx, int fd);
  // Frees what only the making of a ticket needed: most connections are idle from then on.
  void ForgetTicket();
  // What went wrong with a call that returned `code` and did not merely block.
  Result Failure(int code);

  // Keeps what the callbacks of SSL_CTX refer to.
  const std::shared_ptr<void> context_;
  SSL* const ssl_;
  TlsConnectionState state_;
  // Null: not resumed.
  std::unique_ptr<const std::string> resumed_ticket_data_;
  // For devices the application protocol is kAlpn, or else there is no connection.
  bool any_alpn_ = false;
  bool open_ = false;
  // After a fatal error OpenSSL forbids every further call.
  bool failed_ = false;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_TLS_TLS_TRANSPORT_H_
