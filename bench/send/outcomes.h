#ifndef BELLWIRE_BENCH_SEND_OUTCOMES_H_
#define BELLWIRE_BENCH_SEND_OUTCOMES_H_

#include <string>

#include "bellwire/push/v1/push.pb.h"
#include "common/clock.h"
#include "grpcpp/support/status.h"
#include "nlohmann/json.hpp"

namespace bellwire::bench {

// What became of Sends that failed. Messages that were refused as a server should, with
// RESOURCE_EXHAUSTED and when to come back, are counted; of all other failures the first is said on
// stderr: what a bench needs to be repaired. Thread-safe.

void ReportError(const std::string& what);
void ReportIfFailed(const push::v1::SendResult& result, MonotonicTime began);
void ReportIfFailed(const grpc::Status& status, MonotonicTime began);

// "refused" and "refused_p99_us".
void AddRefusedTo(nlohmann::json* report);

}  // namespace bellwire::bench

#endif  // BELLWIRE_BENCH_SEND_OUTCOMES_H_
