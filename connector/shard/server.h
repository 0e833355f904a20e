#ifndef BELLWIRE_CONNECTOR_SHARD_SERVER_H_
#define BELLWIRE_CONNECTOR_SHARD_SERVER_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/limits.h"
#include "connector/session/heartbeat_range.h"
#include "ops/metrics/samples.h"
#include "rpc/connector_api.h"
#include "rpc/registry_api.h"
#include "rpc/session_stream.h"

namespace bellwire::connector {

// The device side of Bellwire: listens for agents, holds the one long connection of each and hands
// them what the registry hands over. Everything it knows is lost with it, and nothing is missed:
// messages stay in the registry until the device has acknowledged them.
//
// Thread-safe after Start.
class ConnectorServer {
 public:
  struct Options {
    // "host:port" to accept agents on; port 0 takes a free one.
    std::string device_listen;
    // Threads, each with its own loop, listener and connections. 0: one per processor.
    int shards = 0;
    // PEM files of the certificate that agents check, and its key.
    std::string certificate_path;
    std::string private_key_path;
    // Secrets that the connectors of a fleet share, so that agents resume their TLS sessions at any
    // of them (net/tls/ticket_keys.h has the format). Empty: tickets are good here and until a
    // restart.
    std::string ticket_key_path;
    // "host:port" of the internal port, for people: it is in Routes.
    std::string internal_address;
    // Device addresses, "host:port", of other connectors that take this one's agents when it
    // drains, each about as many. Empty: they come back to where they are configured to.
    std::vector<std::string> drain_to;
    // What the endpoints of subscriptions begin with, such as "https://push.example.com", without a
    // slash at its end. Empty: devices can't make any.
    std::string public_url;
    // Not owned; must outlive the server. Of a registry in this process: `sessions`, and the
    // registry hands over to connector(). Otherwise: `stream`, which the server opens and closes.
    SessionApi* sessions = nullptr;
    SessionStream* stream = nullptr;
    NetworkApi* networks = nullptr;
    TopicApi* topics = nullptr;
    // Not owned. Null: RealClock().
    const Clock* clock = nullptr;
    // From accept to a complete Login. Tests of half-open connections make it shorter.
    absl::Duration login_timeout = kLoginTimeout;
    // What agents are told to keep their heartbeat within.
    HeartbeatRange heartbeat_range;
    // Sockets of the device port, in whatever state. 0: what the process's limit of open files
    // leaves to it (net/socket/descriptor_budget.h).
    size_t max_descriptors = 0;
    // A shard drops what it accepts beyond it.
    size_t max_connections_per_shard = kMaxConnectionsPerShard;
  };

  // Listens from the return on.
  //   INVALID_ARGUMENT BAD_SHARDS, BAD_HEARTBEAT_RANGE · errors of crypto/file_util.h for the PEM
  //   files, and of net/tls/tls_context.h for what is in them; BAD_TICKET_KEY_FILE ·
  //   INVALID_ARGUMENT BAD_ADDRESS · UNAVAILABLE CANNOT_LISTEN
  static absl::StatusOr<std::unique_ptr<ConnectorServer>> Start(Options options);

  // Closes every connection at once. Nothing calls the registry afterwards.
  virtual ~ConnectorServer() = default;

  // Where the registry of the same process hands over. Lives as long as this object.
  virtual ConnectorEnd* connector() = 0;
  // "host:port" with the real port.
  virtual std::string device_address() const = 0;
  // Whether every thread that accepts agents goes round within `patience`; for a watchdog.
  virtual bool Responds(absl::Duration patience) = 0;
  // What it has counted, and how full it is.
  virtual void Report(metrics::Samples* samples) = 0;
  // Reads certificate, key and ticket secrets again, all or nothing: who connects a moment later
  // sees the new ones. Sessions go on. `ticket_key_path` is as in Options; without it, tickets from
  // before are no good any more. Errors as those of Start.
  virtual absl::Status ReloadTls(const std::string& ticket_key_path) = 0;
  // Stops accepting and sends the agents away, spread over `time`: each gets GoAway(DRAINING), what
  // it had acknowledged is handed to the registry, its route is cleared. Returns when no connection
  // is left, or after `time`. See also Options::drain_to. Call it at most once, from a thread of
  // the caller's.
  virtual void Drain(absl::Duration time) = 0;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SHARD_SERVER_H_
