#ifndef BELLWIRE_REGISTRY_SERVER_WRITER_THREAD_H_
#define BELLWIRE_REGISTRY_SERVER_WRITER_THREAD_H_

#include <thread>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/log_limit.h"
#include "registry/server/batch_wait.h"
#include "registry/server/group_commit.h"
#include "registry/server/store.h"

namespace bellwire::registry {

// The one thread that uses the store: runs batches as they come and, with them, sweeps away what is
// due, a small step each kSweepInterval or as long as more is due. What batches add to the feeds of
// receipts it moves there with the next batch. Both share that batch's sync, or go when it is idle.
class WriterThread {
 public:
  // Starts it. All must outlive this object. `on_sweep` is called on the thread each kSweepInterval
  // or more often; may be empty. `wait_after` says whom it waits for after each batch.
  // `between_batches` is called on the thread before each batch, when nothing is staged; may be
  // empty.
  WriterThread(GroupCommit* group_commit, Store* store, const Clock* clock,
               absl::AnyInvocable<void()> on_sweep = nullptr,
               BatchWait (*wait_after)(const GroupCommit::Batch& batch) = WaitAfter,
               absl::AnyInvocable<void()> between_batches = nullptr);
  // Lets it finish what is queued, and waits for that.
  ~WriterThread();
  WriterThread(const WriterThread&) = delete;
  WriterThread& operator=(const WriterThread&) = delete;

 private:
  void Loop();
  void WaitForMore(const GroupCommit::Batch& ran);
  // Stages it, for the next commit. How long until the next one.
  absl::Duration SweepStep(size_t max_entries);
  void SweepPostponed(const absl::Status& why);
  // Stages it, for the next commit. Whether more waits.
  bool RelayStep();

  GroupCommit* const group_commit_;
  Store* const store_;
  const Clock* const clock_;
  absl::AnyInvocable<void()> on_sweep_;
  BatchWait (*const wait_after_)(const GroupCommit::Batch& batch);
  absl::AnyInvocable<void()> between_batches_;
  // A store that stays unavailable fails each interval.
  LogLimit relays_postponed_;
  LogLimit sweeps_postponed_;
  std::thread thread_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SERVER_WRITER_THREAD_H_
