#ifndef BELLWIRE_REGISTRY_SERVER_GROUP_COMMIT_H_
#define BELLWIRE_REGISTRY_SERVER_GROUP_COMMIT_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "registry/server/store.h"
#include "rpc/registry_api.h"

namespace bellwire::registry {

// The queue in front of a store, and how it is emptied: everything that waits goes through the store
// in order, one Commit makes all of it durable, and only then each gets its answer. Under load the
// batch grows while the last sync runs (docs/decisions/one_writer.md).
//
// Submit and Close are thread-safe. The rest is for the one thread that owns the store: WriterThread,
// or a simulation's only one.
class GroupCommit {
 public:
  // `store` must outlive it.
  explicit GroupCommit(Store* store) : store_(store) {}
  // Answers what is queued with UNAVAILABLE.
  ~GroupCommit();
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  enum class Urgency {
    kNow,
    // Its answer may come milliseconds later: it keeps others company, and the next one that is urgent
    // (WaitForUrgent).
    kPatient,
  };

  // Queues `operation`. `done` gets what it returned once that is committed (store.h), on the owner's thread, and
  // in the order of the submits. What it returned is given up for an error if the commit fails:
  // nobody knows then. An operation that returns an error leaves the others alone.
  //
  // `done` gets its answer at once, in this thread, if the operation won't run:
  //   RESOURCE_EXHAUSTED OVERLOADED with RetryInfo: kMaxRegistryQueue operations wait.
  //   UNAVAILABLE REGISTRY_UNAVAILABLE: closed.
  template <typename Response>
  void Submit(absl::AnyInvocable<absl::StatusOr<Response>(Store&) &&> operation,
              Done<Response> done, Urgency urgency = Urgency::kNow) {
    SubmitErased(std::make_unique<OperationOf<Response>>(std::move(operation), std::move(done)),
                 urgency);
  }

  // No more operations from now on; those that wait are still run.
  void Close();

  struct Batch {
    size_t operations = 0;
    // Whether one of them may have been urgent.
    bool urgent = false;
  };
  // Runs one: at most kMaxGroupCommitOperations of what waits, one Commit, the answers. Without
  // operations: nothing waits. `before_commit` is told how many were run, and may stage more.
  Batch RunBatch(absl::FunctionRef<void(size_t ran)> before_commit = [](size_t) {});

  // Waits until something does, or Close, or `timeout`. False: closed, and nothing waits.
  bool WaitForWork(absl::Duration timeout);
  // Waits until so many operations do, or Close, or `timeout`.
  void WaitForCompany(size_t operations, absl::Duration timeout);
  // Waits until one that is urgent does, or a whole batch, or Close, or `timeout`.
  void WaitForUrgent(absl::Duration timeout);

 private:
  class Operation {
   public:
    virtual ~Operation() = default;
    virtual void Run(Store& store) = 0;
    // `status`: of the commit; or why it was not run.
    virtual void Answer(const absl::Status& status) = 0;
  };

  template <typename Response>
  class OperationOf final : public Operation {
   public:
    OperationOf(absl::AnyInvocable<absl::StatusOr<Response>(Store&) &&> operation,
                Done<Response> done)
        : operation_(std::move(operation)), done_(std::move(done)) {}

    void Run(Store& store) override { result_ = std::move(operation_)(store); }
    void Answer(const absl::Status& status) override {
      if (status.ok()) {
        std::move(done_)(*std::move(result_));
      } else {
        std::move(done_)(status);
      }
    }

   private:
    absl::AnyInvocable<absl::StatusOr<Response>(Store&) &&> operation_;
    Done<Response> done_;
    std::optional<absl::StatusOr<Response>> result_;
  };

  using Queue = std::vector<std::unique_ptr<Operation>>;

  void SubmitErased(std::unique_ptr<Operation> operation, Urgency urgency);

  Store* const store_;
  absl::Mutex mutex_;
  Queue queue_ ABSL_GUARDED_BY(mutex_);
  // Whether an urgent operation may wait: one came since the queue was last taken whole.
  bool urgent_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SERVER_GROUP_COMMIT_H_
