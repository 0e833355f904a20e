#include "registry/server/group_commit.h"

#include <utility>

#include "common/error.h"
#include "common/limits.h"
#include "registry/engine/store_error.h"

namespace bellwire::registry {
namespace {

// Between two looks whether a team has just become active: a part of a millisecond each.
constexpr size_t kOperationsAtATime = 16;
constexpr size_t kAnswersAtATime = 16;

absl::Status OverloadedError() {
  return WithRetryAfter(MakeError(absl::StatusCode::kResourceExhausted, "OVERLOADED",
                                  "its share of the registry's queue is full"),
                        kOverloadedRetryAfter);
}

absl::Status ClosedError() { return StoreUnavailableError("it is shutting down"); }

}  // namespace

GroupCommit::~GroupCommit() {
  Close();
  std::vector<Queue::Taken> rest;
  {
    absl::MutexLock lock(&mutex_);
    while (!queue_.empty()) rest.push_back(Pop());
  }
  for (const Queue::Taken& taken : rest) taken.item->Answer(ClosedError());
}

void GroupCommit::SubmitErased(const Owner& owner, std::unique_ptr<Operation> operation) {
  absl::Status refused;
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) {
      refused = ClosedError();
    } else if (!queue_.HasRoom(owner)) {
      refused_.Add();
      refused = OverloadedError();
    } else {
      urgent_ += operation->urgent ? 1 : 0;
      operation->in_order = owner.is_devices();
      queue_.Push(owner, std::move(operation));
      return;
    }
  }
  operation->Answer(refused);
}

void GroupCommit::Report(metrics::Samples* samples) {
  {
    absl::MutexLock lock(&mutex_);
    samples->AddQueue("registry_teams", queue_.team_operations(), kMaxRegistryQueue);
    samples->AddQueue("registry_devices", queue_.device_operations(), kMaxRegistryQueue);
    samples->AddQueue("registry_key_look_ups", queue_.look_ups(), kMaxRegistryKeyLookUps);
  }
  samples->Add(metrics::kRefused, refused_);
  samples->Add(metrics::kBatchOperations, batch_sizes_);
}

void GroupCommit::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

GroupCommit::Queue::Taken GroupCommit::Pop() {
  Queue::Taken taken = queue_.Pop();
  urgent_ -= taken.item->urgent ? 1 : 0;
  return taken;
}

GroupCommit::Batch GroupCommit::RunBatch(BeforeCommit before_commit) {
  Batch batch;
  Ran ran;
  ran.began = Now();
  size_t waited = 0;
  {
    absl::MutexLock lock(&mutex_);
    waited = queue_.size();
  }
  for (std::vector<Queue::Taken> taken; !(taken = TakeFor(waited, &ran)).empty();) {
    Run(std::move(taken), &ran, &batch);
    // It has taken all at once. Who comes now takes part before the commit.
    if (store_->prefetches()) break;
  }
  CommitAndAnswer(std::move(ran), before_commit, &batch);
  absl::MutexLock lock(&mutex_);
  batch.more = !queue_.empty();
  return batch;
}

std::vector<GroupCommit::Queue::Taken> GroupCommit::TakeFor(size_t waited, Ran* ran) {
  std::vector<Queue::Taken> taken;
  const bool long_enough = Now() - ran->began >= kSharedBatchTime;
  const size_t at_a_time = store_->prefetches() ? kMaxGroupCommitOperations : kOperationsAtATime;
  absl::MutexLock lock(&mutex_);
  ran->ends_early |= long_enough && queue_.shared();
  while (taken.size() < at_a_time && !queue_.empty()) {
    const size_t size = ran->size() + taken.size();
    if (size >= (queue_.shared() ? kMaxSharedGroupCommitOperations : kMaxGroupCommitOperations)) {
      break;
    }
    const bool newcomer_waits = queue_.newcomer_waits();
    // What came since the batch began is the next one's, unless its team has just become active.
    if (size >= waited && !newcomer_waits) break;
    if (size >= kMinGroupCommitOperations && ran->ends_early && !newcomer_waits) break;
    taken.push_back(Pop());
    ran->ends_early |= taken.back().newcomer && queue_.contended();
  }
  return taken;
}

void GroupCommit::PrefetchFor(const std::vector<Queue::Taken>& taken) {
  if (!store_->prefetches()) return;
  std::vector<DeviceId> devices;
  for (const Queue::Taken& next : taken) {
    if (next.item->device.has_value()) devices.push_back(*next.item->device);
  }
  if (!devices.empty()) store_->Prefetch(devices);
}

void GroupCommit::Run(std::vector<Queue::Taken> taken, Ran* ran, Batch* batch) {
  PrefetchFor(taken);
  for (Queue::Taken& next : taken) {
    next.item->Run(*store_);
    batch->urgent |= next.item->urgent;
    if (next.item->in_order) {
      ++ran->in_order;
      store_->AfterCommit([operation = std::move(next.item)](const absl::Status& committed) {
        operation->Answer(committed);
      });
      continue;
    }
    (next.newcomer ? ran->newcomers : ran->operations).push_back(std::move(next.item));
  }
}

void GroupCommit::CommitAndAnswer(Ran ran, BeforeCommit before_commit, Batch* batch) {
  before_commit(ran.size());
  // It may have taken long. Who has come meanwhile would wait for all of this commit.
  if (ran.size() + kMinGroupCommitOperations <= kMaxGroupCommitOperations) {
    Run(TakeNewcomers(), &ran, batch);
  }
  // Reads are answered after the commit too: they may have seen what it makes durable.
  const absl::Status committed = store_->Commit();
  batch->committed.Update(committed);
  batch->operations += ran.size();
  if (ran.size() > 0) batch_sizes_.Observe(uint64_t{ran.size()});
  for (const auto& operation : ran.newcomers) operation->Answer(committed);
  size_t answered = 0;
  for (const auto& operation : ran.operations) {
    operation->Answer(committed);
    if (++answered % kAnswersAtATime == 0) ServeNewcomers(before_commit, batch);
  }
}

std::vector<GroupCommit::Queue::Taken> GroupCommit::TakeNewcomers() {
  std::vector<Queue::Taken> taken;
  absl::MutexLock lock(&mutex_);
  while (taken.size() < kMinGroupCommitOperations && queue_.newcomer_waits()) {
    taken.push_back(queue_.PopNewcomer());
    urgent_ -= taken.back().item->urgent ? 1 : 0;
  }
  return taken;
}

void GroupCommit::ServeNewcomers(BeforeCommit before_commit, Batch* batch) {
  std::vector<Queue::Taken> taken = TakeNewcomers();
  if (taken.empty()) return;
  Ran ran;
  Run(std::move(taken), &ran, batch);
  // No deeper: nobody but newcomers is in it, and they are answered without a look at others.
  CommitAndAnswer(std::move(ran), before_commit, batch);
}

bool GroupCommit::WaitForWork(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(
                              +[](GroupCommit* self) ABSL_EXCLUSIVE_LOCKS_REQUIRED(self->mutex_) {
                                return !self->queue_.empty() || self->closed_;
                              },
                              this),
                          timeout);
  return !queue_.empty() || !closed_;
}

void GroupCommit::WaitForCompany(size_t operations, absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto enough = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return queue_.size() >= operations || closed_ || (queue_.shared() && queue_.newcomer_waits());
  };
  mutex_.AwaitWithTimeout(absl::Condition(&enough), timeout);
}

void GroupCommit::WaitForUrgent(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto urgent = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return urgent_ > 0 || closed_ || queue_.size() >= kMaxGroupCommitOperations;
  };
  mutex_.AwaitWithTimeout(absl::Condition(&urgent), timeout);
}

}  // namespace bellwire::registry
