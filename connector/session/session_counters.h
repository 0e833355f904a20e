#ifndef BELLWIRE_CONNECTOR_SESSION_SESSION_COUNTERS_H_
#define BELLWIRE_CONNECTOR_SESSION_SESSION_COUNTERS_H_

#include "ops/metrics/counter.h"

namespace bellwire::connector {

// What the sessions of a connector count, on the path of every message. Thread-safe.
struct SessionCounters {
  // Messages written to devices, each as often as it was written.
  metrics::Counter pushes;
  // From devices.
  metrics::Counter heartbeats;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SESSION_SESSION_COUNTERS_H_
