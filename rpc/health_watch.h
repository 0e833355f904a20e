#ifndef BELLWIRE_RPC_HEALTH_WATCH_H_
#define BELLWIRE_RPC_HEALTH_WATCH_H_

#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"

namespace bellwire {

// Asks the process at the other end of a channel, again and again, whether it serves
// (grpc.health.v1.Health/Check of the process as a whole), and says when that changes. A process
// that can't be reached, or doesn't answer in `interval`, does not serve.
class HealthWatch {
 public:
  // At first it counts as serving. `on_change` is called on a thread of this object; it must not
  // block for long.
  HealthWatch(std::shared_ptr<grpc::Channel> channel,
              absl::AnyInvocable<void(bool serving)> on_change,
              absl::Duration interval = absl::Seconds(1));
  // Takes up to `interval`; `on_change` is not called afterwards.
  ~HealthWatch();
  HealthWatch(const HealthWatch&) = delete;
  HealthWatch& operator=(const HealthWatch&) = delete;

 private:
  void Loop();
  bool Ask();

  const std::shared_ptr<grpc::Channel> channel_;
  absl::AnyInvocable<void(bool serving)> on_change_;
  const absl::Duration interval_;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_HEALTH_WATCH_H_
