#ifndef BELLWIRE_NET_TLS_TLS_ACCEPT_H_
#define BELLWIRE_NET_TLS_TLS_ACCEPT_H_

#include <memory>
#include <string>

#include "net/loop/epoll_loop.h"
#include "net/socket/stream.h"
#include "net/tls/handshake_queue.h"
#include "net/tls/tls_context.h"

namespace bellwire::net {

// The server's end of TLS over an accepted socket, for listeners that are no TlsServer: OnOpen
// comes when the handshake is done, and it has no time-out. Takes over `fd`, which is non-blocking.
// The handshake's steps wait for their turn in `handshakes`; null: they don't. It outlives the
// stream. On the loop's thread.
std::unique_ptr<Stream> AcceptTls(EpollLoop* loop, std::shared_ptr<TlsServerContext> context,
                                  int fd, std::string peer_name, HandshakeQueue* handshakes);

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_TLS_TLS_ACCEPT_H_
