#include "gateway/topics/fan_out_thread.h"

#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/synchronization/notification.h"

namespace bellwire::gateway {

FanOutThread::FanOutThread(const Options& options) : loop_(options.clock) {
  FanOuts::Options fan_outs;
  fan_outs.world = {
      .topics = options.topics,
      .mailboxes = options.mailboxes,
      .loop = &loop_,
      // Answers may come after the end of the loop. Those under way are far fewer than the queue
      // holds.
      .post = [queue = loop_.post_queue()](absl::AnyInvocable<void() &&> task) {
        queue->Post(std::move(task));
      }};
  fan_outs.settings = options.settings;
  fan_outs_ = std::make_unique<FanOuts>(fan_outs);
  loop_.Post([this] { fan_outs_->Start(); });
  thread_ = std::thread([this] { loop_.Run(); });
}

FanOutThread::~FanOutThread() { Drain(absl::ZeroDuration()); }

void FanOutThread::Drain(absl::Duration grace) {
  if (!thread_.joinable()) return;
  draining_.store(true);
  const auto drained = std::make_shared<absl::Notification>();
  loop_.Post([this, drained] { fan_outs_->Drain([drained] { drained->Notify(); }); });
  drained->WaitForNotificationWithTimeout(grace);
  loop_.Stop();
  thread_.join();
  fan_outs_.reset();
}

bool FanOutThread::Responds(absl::Duration patience) {
  // Shared: the answer may come when nobody waits any more.
  const auto gone_round = std::make_shared<absl::Notification>();
  loop_.Post([gone_round] { gone_round->Notify(); });
  return gone_round->WaitForNotificationWithTimeout(patience) || draining_.load();
}

}  // namespace bellwire::gateway
