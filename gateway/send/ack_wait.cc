#include "gateway/send/ack_wait.h"

#include <atomic>
#include <memory>
#include <utility>

#include "grpc/support/time.h"
#include "grpcpp/alarm.h"

namespace bellwire::gateway {
namespace {

using internal::v1::ConnectorResponse;

// Connector and timer race for `done`; whoever comes second finds it taken. Both callbacks own
// this, so it lives until both have run, though whoever waited is long gone.
//
// grpc::Alarm keeps its callback after it has run: the callback lets go of this by itself, or the
// two would keep each other alive for ever.
class AckWait : public std::enable_shared_from_this<AckWait> {
 public:
  explicit AckWait(absl::AnyInvocable<void(bool) &&> done) : done_(std::move(done)) {}

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

 private:
  void Settle(bool acked) {
    if (settled_.exchange(true)) return;
    std::move(done_)(acked);
  }

  absl::AnyInvocable<void(bool) &&> done_;
  std::atomic<bool> settled_{false};
  grpc::Alarm timer_;
};

}  // namespace

void WaitForAck(ConnectorApi* connector, internal::v1::ConnectorRequest request,
                absl::Duration wait, absl::AnyInvocable<void(bool acked) &&> done) {
  std::make_shared<AckWait>(std::move(done))->Start(connector, std::move(request), wait);
}

}  // namespace bellwire::gateway
