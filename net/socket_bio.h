#ifndef BELLWIRE_NET_SOCKET_BIO_H_
#define BELLWIRE_NET_SOCKET_BIO_H_

#include <openssl/bio.h>

#include "net/socket.h"

namespace bellwire::net {

// A BIO for OpenSSL to read and write `socket` through, which must outlive it. OpenSSL's own socket
// BIO would raise SIGPIPE and ask the kernel for more when there is none.
BIO* NewSocketBio(Socket* socket);

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_SOCKET_BIO_H_
