#ifndef BELLWIRE_OPS_METRICS_PROCESS_SOURCE_H_
#define BELLWIRE_OPS_METRICS_PROCESS_SOURCE_H_

#include "ops/metrics/samples.h"

namespace bellwire::metrics {

// CPU time, memory, threads, descriptors and start time of this process, by the names that
// Prometheus gives them. What /proc does not say is left out. Thread-safe.
void CollectProcess(Samples* samples);

}  // namespace bellwire::metrics

#endif  // BELLWIRE_OPS_METRICS_PROCESS_SOURCE_H_
