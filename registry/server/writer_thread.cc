#include "registry/server/writer_thread.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "common/log.h"
#include "registry/engine/chore.h"

namespace bellwire::registry {
namespace {

// After a batch of so many operations their receipts go into the feeds with it: they make records
// worth their key, and don't cost the outbox a write and a deletion each. Those of smaller batches
// wait for company.
constexpr size_t kRelayAtOnceOperations = 16;

}  // namespace

WriterThread::WriterThread(GroupCommit* group_commit, Store* store, const Clock* clock,
                           absl::AnyInvocable<void()> on_sweep,
                           BatchWait (*wait_after)(const GroupCommit::Batch& batch),
                           absl::AnyInvocable<void()> between_batches)
    : group_commit_(group_commit),
      store_(store),
      clock_(clock),
      on_sweep_(std::move(on_sweep)),
      wait_after_(wait_after),
      between_batches_(std::move(between_batches)),
      relays_postponed_(clock),
      sweeps_postponed_(clock),
      thread_([this] { Loop(); }) {}

WriterThread::~WriterThread() {
  group_commit_->Close();
  thread_.join();
}

void WriterThread::Loop() {
  MonotonicTime next_sweep = clock_->Monotonic();
  MonotonicTime next_relay = next_sweep;
  while (true) {
    const absl::Duration until_next = std::min(next_sweep, next_relay) - clock_->Monotonic();
    if (!group_commit_->WaitForWork(std::max(until_next, absl::ZeroDuration()))) return;
    if (between_batches_) between_batches_();
    const MonotonicTime began = clock_->Monotonic();
    const bool sweep = began >= next_sweep;
    bool swept = false;
    absl::Duration sweep_again_after = kSweepInterval;
    bool relayed = began >= next_relay;
    bool more_to_relay = false;
    const GroupCommit::Batch ran = group_commit_->RunBatch([&](size_t operations) {
      if (sweep && !std::exchange(swept, true)) {
        sweep_again_after = SweepStep(std::clamp(operations, kMinSweepEntries, kMaxSweepEntries));
      }
      relayed |= operations >= kRelayAtOnceOperations;
      if (relayed) more_to_relay = RelayStep();
    });
    const MonotonicTime now = clock_->Monotonic();
    if (relayed) {
      next_relay = more_to_relay ? now : now + kSweepInterval;
    } else if (ran.operations > 0 || swept) {
      next_relay = std::min(next_relay, now + kRelayInterval);
    }
    if (swept) {
      if (!ran.committed.ok()) SweepPostponed(ran.committed);
      next_sweep = now + (ran.committed.ok() ? sweep_again_after : kSweepInterval);
      if (on_sweep_) on_sweep_();
    }
    WaitForMore(ran);
  }
}

void WriterThread::WaitForMore(const GroupCommit::Batch& ran) {
  const BatchWait wait = wait_after_(ran);
  switch (wait.whom) {
    case BatchWait::For::kNobody:
      break;
    case BatchWait::For::kCompany:
      group_commit_->WaitForCompany(ran.operations, wait.at_most);
      break;
    case BatchWait::For::kUrgent:
      group_commit_->WaitForUrgent(wait.at_most);
      break;
  }
}

bool WriterThread::RelayStep() {
  const absl::StatusOr<RelayResult> relayed = store_->RelayReceipts(kMaxRelayEntries);
  if (!relayed.ok()) {
    if (const auto unsaid = relays_postponed_.Take()) {
      LogWarning("relay_postponed", {{"error", relayed.status().message()}, {"unsaid", *unsaid}});
    }
  }
  return relayed.ok() && relayed->more;
}

void WriterThread::SweepPostponed(const absl::Status& why) {
  if (const auto unsaid = sweeps_postponed_.Take()) {
    LogWarning("sweep_postponed", {{"error", why.message()}, {"unsaid", *unsaid}});
  }
}

absl::Duration WriterThread::SweepStep(size_t max_entries) {
  const absl::StatusOr<SweepResult> swept = store_->Sweep(max_entries);
  if (!swept.ok()) {
    SweepPostponed(swept.status());
    return kSweepInterval;
  }
  if (swept->more) return absl::ZeroDuration();
  return swept->chores ? kChorePause : kSweepInterval;
}

}  // namespace bellwire::registry
