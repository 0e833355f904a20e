#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_HTTP_LISTENER_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_HTTP_LISTENER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/limits.h"
#include "gateway/doors/http/door.h"
#include "net/tls/tls_context.h"

namespace bellwire::http {

// A port that serves HTTP over TLS to the doors behind it. A few threads, each with a loop, share its
// connections; each connection stays on one.
//
// Whatever peers do, it goes on accepting: without descriptors it rests for a moment, and connections
// and their memory are bounded, by fair shares of each peer while they are scarce.
//
// Thread-safe.
class HttpListener {
 public:
  struct Options {
    // As net::ListenTcp.
    std::string address;
    std::shared_ptr<net::TlsServerContext> tls;
    // In the order in which they are asked. Not owned; they outlive the listener.
    std::vector<Door*> doors;
    // 0: as many as there are processors, at most kMaxHttpThreads.
    int threads = 0;
    // 0: as many as the process's descriptors allow (HttpConnectionsFor).
    size_t max_connections = 0;
    size_t max_memory_bytes = kMaxHttpMemoryBytes;
  };

  // Listens and serves. Errors as net::ListenTcp.
  static absl::StatusOr<std::unique_ptr<HttpListener>> Start(Options options);

  // Drain without grace.
  virtual ~HttpListener() = default;

  virtual uint16_t port() const = 0;
  // For connections from now on. Those that are there keep what they have.
  virtual void UseTls(std::shared_ptr<net::TlsServerContext> tls) = 0;
  virtual size_t connections() const = 0;

  // Accepts nobody more, tells clients to go elsewhere (GOAWAY), lets exchanges that run finish, and
  // ends what is left after `grace` (OnTimeout(kShutdown)). Returns when no connection is left. Once
  // is enough.
  virtual void Drain(absl::Duration grace) = 0;
};

// Connections of a process that may have so many descriptors.
size_t HttpConnectionsFor(size_t descriptors);

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_HTTP_LISTENER_H_
