#ifndef BELLWIRE_BENCH_SEND_STEADY_SENDER_H_
#define BELLWIRE_BENCH_SEND_STEADY_SENDER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "bellwire/push/v1/push.grpc.pb.h"
#include "bench/load/histogram.h"
#include "bench/send/requests.h"
#include "common/clock.h"
#include "grpcpp/channel.h"
#include "grpcpp/completion_queue.h"
#include "nlohmann/json.hpp"

namespace bellwire::bench {

// An app backend that sends at a fixed rate, whatever happens, and repeats what was not answered OK
// under the same message id, as a backend does. For benches that look at something else meanwhile.
// Sends from construction on, on a thread of its own, which is also the one that takes the answers:
// each hand-over to another would wait for a processor on a busy machine, and count as the server's
// time. Thread-safe.
class SteadySender {
 public:
  // `authorization` is the credential that each call carries; `requests` must outlive it.
  SteadySender(const std::shared_ptr<grpc::Channel>& channel, std::string authorization,
               Requests* requests, double per_second);
  // Repeats nothing any more; waits for the calls that are under way, which take seconds at most.
  ~SteadySender();
  SteadySender(const SteadySender&) = delete;
  SteadySender& operator=(const SteadySender&) = delete;

  // {"sent", "ok", "repeated"} since the start, and {"calls", "p50_us", "p99_us"} of the calls that
  // ended since the last report. A call's time is counted from its beginning; a message's calls are
  // counted each.
  nlohmann::json Report();
  // No new messages. Answers a Report once every message was answered OK, or {"error"} after
  // `timeout`.
  nlohmann::json Stop(absl::Duration timeout);

 private:
  struct Call;
  struct Repeat {
    MonotonicTime when;
    push::v1::SendRequest request;
  };

  void Run();
  // Begins what is due. Answers until when there is nothing more to begin.
  MonotonicTime StartWhatIsDue();
  void Start(push::v1::SendRequest request);
  void OnAnswered(Call* call);
  bool Done();

  const std::unique_ptr<push::v1::PushService::Stub> stub_;
  const std::string authorization_;
  Requests* const requests_;
  const absl::Duration interval_;
  grpc::CompletionQueue queue_;

  // Of the thread.
  MonotonicTime next_message_;
  std::deque<Repeat> repeats_;

  absl::Mutex mutex_;
  Histogram latency_ ABSL_GUARDED_BY(mutex_);
  int64_t sent_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t ok_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t repeated_ ABSL_GUARDED_BY(mutex_) = 0;
  // Sends nothing new; and doesn't wait for answers either.
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool giving_up_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace bellwire::bench

#endif  // BELLWIRE_BENCH_SEND_STEADY_SENDER_H_
