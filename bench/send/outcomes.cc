#include "bench/send/outcomes.h"

#include <atomic>
#include <iostream>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "bench/load/histogram.h"
#include "common/error.h"
#include "rpc/grpc_status.h"

namespace bellwire::bench {
namespace {

class Refused {
 public:
  void Add(MonotonicTime began) {
    const MonotonicTime now = RealClock()->Monotonic();
    absl::MutexLock lock(&mutex_);
    latency_.Add(now - began);
  }
  void AddTo(nlohmann::json* report) {
    absl::MutexLock lock(&mutex_);
    (*report)["refused"] = latency_.count();
    (*report)["refused_p99_us"] = latency_.Percentile(0.99);
  }

 private:
  absl::Mutex mutex_;
  Histogram latency_ ABSL_GUARDED_BY(mutex_);
};
Refused* AllRefused() {
  static Refused* const refused = new Refused;
  return refused;
}

}  // namespace

void ReportError(const std::string& what) {
  static std::atomic<bool> said{false};
  if (!said.exchange(true)) std::cerr << "send_load: " << what << "\n";
}

void ReportIfFailed(const push::v1::SendResult& result, MonotonicTime began) {
  if (!result.has_error()) return;
  const push::v1::SendError& error = result.error();
  if (error.code() == grpc::StatusCode::RESOURCE_EXHAUSTED && error.has_retry_after()) {
    return AllRefused()->Add(began);
  }
  ReportError(absl::StrCat(error.reason(), ": ", error.message()));
}

void ReportIfFailed(const grpc::Status& status, MonotonicTime began) {
  if (status.ok()) return;
  const absl::Status converted = FromGrpcStatus(status);
  if (absl::IsResourceExhausted(converted) && RetryAfter(converted).has_value()) {
    return AllRefused()->Add(began);
  }
  ReportError(status.error_message());
}

void AddRefusedTo(nlohmann::json* report) { AllRefused()->AddTo(report); }

}  // namespace bellwire::bench
