#ifndef BELLWIRE_NET_TLS_TLS_SESSION_SLOT_H_
#define BELLWIRE_NET_TLS_TLS_SESSION_SLOT_H_

#include <openssl/ssl.h>

namespace bellwire::net {

// Holds the newest TLS session that a client got a ticket for. Single-threaded.
class TlsSessionSlot {
 public:
  TlsSessionSlot() = default;
  ~TlsSessionSlot() { Reset(); }
  TlsSessionSlot(const TlsSessionSlot&) = delete;
  TlsSessionSlot& operator=(const TlsSessionSlot&) = delete;

  // Takes over the caller's reference.
  void Reset(SSL_SESSION* session = nullptr) {
    SSL_SESSION_free(session_);
    session_ = session;
  }
  // Null if there is none.
  SSL_SESSION* get() const { return session_; }

 private:
  SSL_SESSION* session_ = nullptr;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_TLS_TLS_SESSION_SLOT_H_
