#include "gateway/receipts/receipt_turns.h"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/fair_queue.h"
#include "common/limits.h"
#include "grpc/support/time.h"
#include "grpcpp/alarm.h"

namespace bellwire::gateway {
namespace {

constexpr int64_t kTickMs = 1;
// A receipt takes some 10 µs of a thread: of a tick so much that other calls hardly notice.
constexpr size_t kMaxReceiptsPerTick = 64;

}  // namespace

// The alarm of a tick owns it too: it may come when the streams are gone.
class ReceiptTurns::State : public std::enable_shared_from_this<State> {
 public:
  void Wait(absl::string_view team_id, Go go) {
    bool now = false;
    {
      absl::MutexLock lock(&mutex_);
      if (closed_) return;
      Arm();
      // Without room only if streams that have ended hold it.
      now = (left_ > 0 && waiting_.empty()) || !waiting_.HasRoom(team_id);
      if (now) {
        left_ -= left_ > 0 ? 1 : 0;
      } else {
        waiting_.Push(team_id, std::move(go));
      }
    }
    if (now) std::move(go)();
  }

  void Close() {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    if (alarm_ != nullptr) alarm_->Cancel();
  }

 private:
  void Arm() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (alarm_ != nullptr) return;
    alarm_ = std::make_unique<grpc::Alarm>();
    alarm_->Set(
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(kTickMs, GPR_TIMESPAN)),
        [self = shared_from_this()](bool) mutable {
          // The alarm keeps this callback: it must let go of the alarm's owner by itself.
          const std::shared_ptr<State> last = std::move(self);
          last->Tick();
        });
  }

  void Tick() {
    std::vector<Go> go;
    std::unique_ptr<grpc::Alarm> rung;
    {
      absl::MutexLock lock(&mutex_);
      rung = std::move(alarm_);
      if (closed_) return;
      for (left_ = kMaxReceiptsPerTick; left_ > 0 && !waiting_.empty(); --left_) {
        go.push_back(waiting_.Pop().item);
      }
      if (!waiting_.empty()) Arm();
    }
    for (Go& next : go) std::move(next)();
  }

  absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  // Who may write in this tick without waiting.
  size_t left_ ABSL_GUARDED_BY(mutex_) = kMaxReceiptsPerTick;
  // Each stream waits once at a time. Twice the room, for a team may have what is free.
  FairQueue<Go> waiting_ ABSL_GUARDED_BY(mutex_){2 * kMaxReceiptStreams};
  // Null: nobody has written since the last tick.
  std::unique_ptr<grpc::Alarm> alarm_ ABSL_GUARDED_BY(mutex_);
};

ReceiptTurns::ReceiptTurns() : state_(std::make_shared<State>()) {}
ReceiptTurns::~ReceiptTurns() { state_->Close(); }

void ReceiptTurns::Wait(absl::string_view team_id, Go go) { state_->Wait(team_id, std::move(go)); }

}  // namespace bellwire::gateway
