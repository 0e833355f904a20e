#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_HTTP_LISTENER_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_HTTP_LISTENER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/limits.h"
#include "gateway/doors/http/door.h"
#include "net/peers/cidr.h"
#include "net/tls/tls_context.h"
#include "ops/metrics/samples.h"

namespace bellwire::http {

// Ports that serve HTTP/1.1 and HTTP/2 to the doors behind them. A few threads, each with a loop,
// share the connections of all ports; each connection stays on one.
//
// Whatever peers do, it goes on accepting: without descriptors it rests for a moment, and
// connections and their memory are bounded, by fair shares of each peer while they are scarce.
//
// Thread-safe.
class HttpListener {
 public:
  struct Port {
    // As net::ListenTcp; or "unix:PATH", which is clear text.
    std::string address;
    // Null: clear text. Then HTTP/2 begins with its preface ("prior knowledge").
    std::shared_ptr<net::TlsServerContext> tls;
    // In the order in which they are asked. Not owned; they outlive the listener.
    std::vector<Door*> doors;
    // Proxies that are believed about their clients (Forwarded, X-Forwarded-For). With any, whoever
    // connects to a Unix socket is one of them.
    net::CidrList trusted_proxies;
    // Load balancers, each of whose connections begins with a header of the PROXY protocol.
    net::CidrList proxy_protocol_from;
  };

  struct Options {
    std::vector<Port> ports;
    // 0: as many as there are processors, at most kMaxHttpThreads.
    int threads = 0;
    // 0: as many as the process's descriptors allow (HttpConnectionsFor).
    size_t max_connections = 0;
    size_t max_memory_bytes = kMaxHttpMemoryBytes;
  };

  // Listens and serves. Errors as net::ListenTcp and net::UnixListener.
  static absl::StatusOr<std::unique_ptr<HttpListener>> Start(Options options);

  // Closes everything at once.
  virtual ~HttpListener() = default;

  // Of the option's `ports`, the real one; of a Unix socket 0.
  virtual uint16_t port(size_t index) const = 0;
  uint16_t port() const { return port(0); }
  // For connections to that port from now on. Those that are there keep what they have. REQUIRES:
  // it began with TLS.
  virtual void UseTls(size_t port, std::shared_ptr<net::TlsServerContext> tls) = 0;
  void UseTls(std::shared_ptr<net::TlsServerContext> tls) { UseTls(0, std::move(tls)); }
  virtual size_t connections() const = 0;
  // Connections and memory beside their bounds, and how many connections came.
  virtual void Report(metrics::Samples* samples) const = 0;
  // Whether every thread still goes round, seen within `patience`: for a watchdog.
  virtual bool Responds(absl::Duration patience) = 0;

  // A drain in its steps, each once. Accepts nobody more, and tells clients to go elsewhere
  // (GOAWAY); exchanges that run go on.
  virtual void BeginDrain() = 0;
  // Waits until no connection is left, for `time` at most; answers whether none is.
  virtual bool AwaitNoConnection(absl::Duration time) = 0;
  // Ends the exchanges that are left (OnTimeout(kShutdown)). Connections close as soon as their
  // peers took the last answers.
  virtual void EndExchanges() = 0;

  // All of it: exchanges may go on for `grace`. Returns kDrainFlushTime after that at the latest.
  void Drain(absl::Duration grace) {
    BeginDrain();
    if (AwaitNoConnection(grace)) return;
    EndExchanges();
    AwaitNoConnection(kDrainFlushTime);
  }
};

// Connections of a process that may have so many descriptors.
size_t HttpConnectionsFor(size_t descriptors);

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_HTTP_LISTENER_H_
