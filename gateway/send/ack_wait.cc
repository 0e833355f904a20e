#include "gateway/send/ack_wait.h"

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "grpc/support/time.h"
#include "grpcpp/alarm.h"

namespace bellwire::gateway {
namespace {

using internal::v1::ConnectorResponse;

// Connector, timer and EndAll race for `done`; whoever comes later finds it taken. The callbacks of
// connector and timer own this, so it lives until both have run, though whoever waited is long gone.
//
// grpc::Alarm keeps its callback after it has run: the callback lets go of this by itself, or the
// two would keep each other alive for ever.
class AckWait : public std::enable_shared_from_this<AckWait> {
 public:
  // `on_settled` is called once, before `done`.
  AckWait(absl::AnyInvocable<void(bool) &&> done,
          absl::AnyInvocable<void(AckWait*) &&> on_settled = nullptr)
      : done_(std::move(done)), on_settled_(std::move(on_settled)) {}

  void Start(ConnectorApi* connector, internal::v1::ConnectorRequest request, absl::Duration wait) {
    // Before the request: its answer may come at once, and cancels the timer.
    timer_.Set(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                            gpr_time_from_nanos(absl::ToInt64Nanoseconds(wait), GPR_TIMESPAN)),
               [self = shared_from_this()](bool) mutable {
                 const std::shared_ptr<AckWait> last = std::move(self);
                 last->Settle(false);
               });
    connector->Exchange(std::move(request),
                        [self = shared_from_this()](ConnectorResponse::Outcome outcome) {
                          self->Settle(outcome == ConnectorResponse::DEVICE_ACKED);
                          self->timer_.Cancel();
                        });
  }

  void End() {
    Settle(false);
    timer_.Cancel();
  }

 private:
  void Settle(bool acked) {
    if (settled_.exchange(true)) return;
    if (on_settled_) std::move(on_settled_)(this);
    std::move(done_)(acked);
  }

  absl::AnyInvocable<void(bool) &&> done_;
  absl::AnyInvocable<void(AckWait*) &&> on_settled_;
  std::atomic<bool> settled_{false};
  grpc::Alarm timer_;
};

}  // namespace

void WaitForAck(ConnectorApi* connector, internal::v1::ConnectorRequest request,
                absl::Duration wait, absl::AnyInvocable<void(bool acked) &&> done) {
  std::make_shared<AckWait>(std::move(done))->Start(connector, std::move(request), wait);
}

struct AckWaits::Live {
  absl::Mutex mu;
  bool ended ABSL_GUARDED_BY(mu) = false;
  absl::flat_hash_map<AckWait*, std::weak_ptr<AckWait>> waits ABSL_GUARDED_BY(mu);
};

AckWaits::AckWaits() : live_(std::make_shared<Live>()) {}

void AckWaits::Wait(ConnectorApi* connector, internal::v1::ConnectorRequest request,
                    absl::Duration wait, absl::AnyInvocable<void(bool acked) &&> done) {
  const auto waiting = std::make_shared<AckWait>(std::move(done), [live = live_](AckWait* settled) {
    absl::MutexLock lock(&live->mu);
    live->waits.erase(settled);
  });
  bool ended = false;
  {
    absl::MutexLock lock(&live_->mu);
    ended = live_->ended;
    live_->waits.emplace(waiting.get(), waiting);
  }
  waiting->Start(connector, std::move(request), wait);
  if (ended) waiting->End();
}

void AckWaits::EndAll() {
  std::vector<std::shared_ptr<AckWait>> waits;
  {
    absl::MutexLock lock(&live_->mu);
    live_->ended = true;
    for (const auto& [pointer, weak] : live_->waits) {
      if (std::shared_ptr<AckWait> wait = weak.lock()) waits.push_back(std::move(wait));
    }
  }
  for (const std::shared_ptr<AckWait>& wait : waits) wait->End();
}

}  // namespace bellwire::gateway
