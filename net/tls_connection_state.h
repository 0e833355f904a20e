#ifndef BELLWIRE_NET_TLS_CONNECTION_STATE_H_
#define BELLWIRE_NET_TLS_CONNECTION_STATE_H_

#include <openssl/ssl.h>

#include <string>

#include "net/tls_session_slot.h"

namespace bellwire::net {

// What OpenSSL's callbacks, which belong to a context, need to know and tell about one connection.
// Part of TlsTransport.
struct TlsConnectionState {
  // Server: goes into the next ticket.
  std::string ticket_data;
  // Client: where new sessions go. Null: nowhere.
  TlsSessionSlot* session_slot = nullptr;
  // Set when a callback refused the peer's application protocols; a static text.
  const char* alpn_refusal = nullptr;

  void AttachTo(SSL* ssl) { SSL_set_app_data(ssl, this); }
  static TlsConnectionState* Of(const SSL* ssl) {
    return static_cast<TlsConnectionState*>(SSL_get_app_data(ssl));
  }
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_TLS_CONNECTION_STATE_H_
