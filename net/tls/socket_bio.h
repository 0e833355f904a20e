#ifndef BELLWIRE_NET_TLS_SOCKET_BIO_H_
#define BELLWIRE_NET_TLS_SOCKET_BIO_H_

#include <openssl/bio.h>

#include "net/tls/tls_connection_state.h"

namespace bellwire::net {

// A BIO for OpenSSL to read and write the socket of `connection` through, and the way from an SSL
// to that (TlsConnectionState::Of). It must outlive the BIO. OpenSSL's own socket BIO would raise
// SIGPIPE and ask the kernel for more when there is none.
BIO* NewSocketBio(TlsConnectionState* connection);

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_TLS_SOCKET_BIO_H_
