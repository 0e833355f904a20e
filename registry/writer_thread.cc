#include "registry/writer_thread.h"

#include <algorithm>

#include "common/limits.h"
#include "common/log.h"

namespace bellwire::registry {

WriterThread::WriterThread(GroupCommit* group_commit, Store* store, const Clock* clock)
    : group_commit_(group_commit), store_(store), clock_(clock), thread_([this] { Loop(); }) {}

WriterThread::~WriterThread() {
  group_commit_->Close();
  thread_.join();
}

void WriterThread::Loop() {
  MonotonicTime next_sweep = clock_->Monotonic();
  while (true) {
    const absl::Duration until_sweep = next_sweep - clock_->Monotonic();
    if (!group_commit_->WaitForWork(std::max(until_sweep, absl::ZeroDuration()))) return;
    group_commit_->RunBatch();
    const MonotonicTime now = clock_->Monotonic();
    if (now < next_sweep) continue;
    next_sweep = SweepStep() ? now : now + kSweepInterval;
  }
}

bool WriterThread::SweepStep() {
  const absl::StatusOr<SweepResult> swept = store_->Sweep(kMaxSweepEntries);
  const absl::Status status = swept.ok() ? store_->Commit() : swept.status();
  if (!status.ok()) LogWarning("sweep_postponed", {{"error", status.message()}});
  return status.ok() && swept->more;
}

}  // namespace bellwire::registry
