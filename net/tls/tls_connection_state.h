#ifndef BELLWIRE_NET_TLS_TLS_CONNECTION_STATE_H_
#define BELLWIRE_NET_TLS_TLS_CONNECTION_STATE_H_

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>

#include "net/socket/socket.h"
#include "net/tls/tls_session_slot.h"

namespace bellwire::net {

// What OpenSSL's callbacks, which belong to a context, need to know and tell about one connection.
// Part of TlsTransport. Found by way of the connection's BIO (socket_bio.h), because ex_data would
// cost each of them 100 bytes.
struct TlsConnectionState {
  explicit TlsConnectionState(Socket* socket) : socket(socket) {}

  Socket* const socket;
  // Server: goes into the next ticket. Null: nothing does.
  std::unique_ptr<const std::string> ticket_data;
  // It is in a ticket now.
  bool ticket_made = false;
  // What is written now is followed by more at once: one packet is enough for both.
  bool more_follows = false;
  // Client: where new sessions go. Null: nowhere.
  TlsSessionSlot* session_slot = nullptr;
  // The handshake is done.
  bool open = false;
  // Received: bytes before the end of the handshake, and KeyUpdates.
  uint32_t handshake_bytes = 0;
  int key_updates = 0;
  // What the peer did too much of: nothing more is read from it. A static text, or null.
  const char* excess = nullptr;
  // Set when a callback refused the peer's application protocols; a static text.
  const char* alpn_refusal = nullptr;

  // REQUIRES: its BIO is NewSocketBio's.
  static TlsConnectionState* Of(const SSL* ssl) {
    return static_cast<TlsConnectionState*>(BIO_get_data(SSL_get_rbio(ssl)));
  }
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_TLS_TLS_CONNECTION_STATE_H_
