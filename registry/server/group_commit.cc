#include "registry/server/group_commit.h"

#include <algorithm>
#include <iterator>

#include "common/error.h"
#include "common/limits.h"
#include "registry/engine/store_error.h"

namespace bellwire::registry {
namespace {

absl::Status OverloadedError() {
  return WithRetryAfter(
      MakeError(absl::StatusCode::kResourceExhausted, "OVERLOADED", "the registry's queue is full"),
      kOverloadedRetryAfter);
}

absl::Status ClosedError() { return StoreUnavailableError("it is shutting down"); }

}  // namespace

GroupCommit::~GroupCommit() {
  Close();
  Queue rest;
  {
    absl::MutexLock lock(&mutex_);
    rest.swap(queue_);
  }
  for (const auto& operation : rest) operation->Answer(ClosedError());
}

void GroupCommit::SubmitErased(std::unique_ptr<Operation> operation, Urgency urgency) {
  absl::Status refused;
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) {
      refused = ClosedError();
    } else if (queue_.size() >= kMaxRegistryQueue) {
      refused = OverloadedError();
    } else {
      queue_.push_back(std::move(operation));
      urgent_ |= urgency == Urgency::kNow;
      return;
    }
  }
  operation->Answer(refused);
}

void GroupCommit::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

GroupCommit::Batch GroupCommit::RunBatch(absl::FunctionRef<void(size_t ran)> before_commit) {
  Queue batch;
  bool urgent;
  {
    absl::MutexLock lock(&mutex_);
    urgent = urgent_;
    if (queue_.size() <= kMaxGroupCommitOperations) {
      batch.swap(queue_);
      urgent_ = false;
    } else {
      const auto end = queue_.begin() + kMaxGroupCommitOperations;
      batch.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
      queue_.erase(queue_.begin(), end);
    }
  }
  for (const auto& operation : batch) operation->Run(*store_);
  before_commit(batch.size());
  // Reads are answered after the commit too: they may have seen what it makes durable.
  const absl::Status committed = store_->Commit();
  for (const auto& operation : batch) operation->Answer(committed);
  return {.operations = batch.size(), .urgent = urgent};
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
    return queue_.size() >= operations || closed_;
  };
  mutex_.AwaitWithTimeout(absl::Condition(&enough), timeout);
}

void GroupCommit::WaitForUrgent(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto urgent = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return urgent_ || closed_ || queue_.size() >= kMaxGroupCommitOperations;
  };
  mutex_.AwaitWithTimeout(absl::Condition(&urgent), timeout);
}

}  // namespace bellwire::registry
