#include "net/tls/tls_accept.h"

#include <utility>

#include "net/socket/socket_stream.h"
#include "net/tls/tls_transport.h"

namespace bellwire::net {

std::unique_ptr<Stream> AcceptTls(EpollLoop* loop, std::shared_ptr<TlsServerContext> context,
                                  int fd, std::string peer_name, HandshakeQueue* handshakes) {
  return std::make_unique<SocketStream>(loop, TlsTransport::Server(std::move(context), fd),
                                        std::move(peer_name), handshakes);
}

}  // namespace bellwire::net
