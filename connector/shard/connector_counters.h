#ifndef BELLWIRE_CONNECTOR_SHARD_CONNECTOR_COUNTERS_H_
#define BELLWIRE_CONNECTOR_SHARD_CONNECTOR_COUNTERS_H_

#include <array>
#include <cstddef>

#include "connector/doors/bellwire/connection_state.h"
#include "connector/session/session_counters.h"
#include "ops/metrics/counter.h"
#include "ops/metrics/samples.h"

namespace bellwire::connector {

// What a connector counts of its connections, over all shards. Thread-safe.
class ConnectorCounters {
 public:
  // TLS is done.
  void OnHandshake(bool resumed) { (resumed ? resumed_handshakes_ : full_handshakes_).Add(); }
  // The device has a session.
  void OnSession() { logins_.Add(); }
  // A connection ended in `state`; `had_session`: OnSession came before.
  void OnClosed(ConnectionState state, CloseReason reason, bool had_session);
  // The registry handed over a message.
  void OnHandOver(bool has_session) { (has_session ? taken_ : no_session_).Add(); }

  SessionCounters* sessions() { return &sessions_; }

  void Report(metrics::Samples* samples) const;

 private:
  using ByReason = std::array<metrics::Counter, kCloseReasons>;

  metrics::Counter full_handshakes_;
  metrics::Counter resumed_handshakes_;
  metrics::Counter failed_handshakes_;
  metrics::Counter logins_;
  ByReason failed_logins_;
  ByReason sessions_ended_;
  metrics::Counter taken_;
  metrics::Counter no_session_;
  SessionCounters sessions_;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SHARD_CONNECTOR_COUNTERS_H_
