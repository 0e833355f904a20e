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
#include "common/clock.h"
#include "common/ids.h"
#include "ops/metrics/counter.h"
#include "ops/metrics/histogram.h"
#include "ops/metrics/samples.h"
#include "registry/server/store.h"
#include "registry/server/work_queue.h"
#include "rpc/registry_api.h"

namespace bellwire::registry {

// The queue in front of a store, and how it is emptied: a batch of what waits goes through the
// store, one Commit makes all of it durable, and only then each gets its answer. Under load the
// batch grows while the last sync runs (docs/decisions/one_writer.md).
//
// WorkQueue says whose turn it is. The operations of one owner keep their order. A team that has
// just become active does not wait for others' backlog: it takes part in the batch that runs, or is
// served between its answers (docs/decisions/fair_admission.md).
//
// Submit and Close are thread-safe. The rest is for the one thread that owns the store:
// WriterThread, or a simulation's only one.
class GroupCommit {
 public:
  // A batch that several teams share takes no more operations after so long: a team that comes
  // while it is committed waits for what it has run. kMinGroupCommitOperations are run in any case.
  static constexpr absl::Duration kSharedBatchTime = absl::Milliseconds(2);

  // Both must outlive it. Null: batches end by their size only.
  explicit GroupCommit(Store* store, const Clock* clock = nullptr) : store_(store), clock_(clock) {}
  // Answers what is queued with UNAVAILABLE.
  ~GroupCommit();
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  enum class Urgency {
    kNow,
    // Its answer may come milliseconds later: it keeps others company, and the next one that is
    // urgent (WaitForUrgent).
    kPatient,
  };

  // Queues `operation`. `done` gets what it returned once that is committed (store.h), on the
  // owner's thread; those of one Owner in the order of their submits. Those of Owner::Devices() get
  // theirs where the operation stands among the hand-overs of the commit (Store::AfterCommit): what
  // a later operation hands over comes later. What it returned is given up for an error if the
  // commit fails: nobody knows then. An operation that returns an error leaves the others alone.
  //
  // `done` gets its answer at once, in this thread, if the operation won't run:
  //   RESOURCE_EXHAUSTED OVERLOADED with RetryInfo: `owner` has no room left in WorkQueue.
  //   UNAVAILABLE REGISTRY_UNAVAILABLE: closed.
  template <typename Response>
  void Submit(const Owner& owner, absl::AnyInvocable<absl::StatusOr<Response>(Store&) &&> operation,
              Done<Response> done, Urgency urgency = Urgency::kNow) {
    SubmitErased(owner, std::make_unique<OperationOf<Response>>(
                            std::move(operation), std::move(done), urgency, owner.device()));
  }

  // How full its queue is, and what it has run and refused. Thread-safe.
  void Report(metrics::Samples* samples) ABSL_LOCKS_EXCLUDED(mutex_);

  // No more operations from now on; those that wait are still run.
  void Close();

  struct Batch {
    size_t operations = 0;
    // Whether one of them was urgent.
    bool urgent = false;
    // Whether something waited at its end.
    bool more = false;
    // The first error of its Commits.
    absl::Status committed;
  };
  // Runs one: at most kMaxGroupCommitOperations of what waits, one Commit, the answers. Without
  // operations: nothing waits. `before_commit` is told how many were run, and may stage more; a
  // team that becomes active meanwhile still takes part. It is called once for each Commit, which
  // may be several: see above.
  Batch RunBatch(absl::FunctionRef<void(size_t ran)> before_commit = [](size_t) {});

  // Waits until something does, or Close, or `timeout`. False: closed, and nothing waits.
  bool WaitForWork(absl::Duration timeout);
  // Waits until so many operations do, or a team that has just become active while others call too,
  // or Close, or `timeout`.
  void WaitForCompany(size_t operations, absl::Duration timeout);
  // Waits until one that is urgent does, or a whole batch, or Close, or `timeout`.
  void WaitForUrgent(absl::Duration timeout);

 private:
  class Operation {
   public:
    Operation(Urgency urgency, const std::optional<DeviceId>& about)
        : urgent(urgency == Urgency::kNow), device(about) {}
    virtual ~Operation() = default;
    virtual void Run(Store& store) = 0;
    // `status`: of the commit; or why it was not run.
    virtual void Answer(const absl::Status& status) = 0;

    const bool urgent;
    // Owner::device.
    const std::optional<DeviceId> device;
    // It is answered where it stands among the hand-overs.
    bool in_order = false;
  };

  template <typename Response>
  class OperationOf final : public Operation {
   public:
    OperationOf(absl::AnyInvocable<absl::StatusOr<Response>(Store&) &&> operation,
                Done<Response> done, Urgency urgency, const std::optional<DeviceId>& about)
        : Operation(urgency, about), operation_(std::move(operation)), done_(std::move(done)) {}

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

  using Queue = WorkQueue<std::unique_ptr<Operation>>;
  using BeforeCommit = absl::FunctionRef<void(size_t ran)>;

  // What was run and waits for its Commit or its answer.
  struct Ran {
    MonotonicTime began;
    std::vector<std::unique_ptr<Operation>> operations;
    // Of teams that had just become active. They are answered first.
    std::vector<std::unique_ptr<Operation>> newcomers;
    // How many the store answers, in their order.
    size_t in_order = 0;
    // One of them would wait for others' backlog.
    bool ends_early = false;

    size_t size() const { return operations.size() + newcomers.size() + in_order; }
  };

  void SubmitErased(const Owner& owner, std::unique_ptr<Operation> operation);
  // Takes the next few that are to run with `ran`; `waited` did so when it began. Empty: the batch
  // is complete.
  std::vector<Queue::Taken> TakeFor(size_t waited, Ran* ran);
  // Of teams that have just become active; kMinGroupCommitOperations at most.
  std::vector<Queue::Taken> TakeNewcomers();
  // Where reads are round trips, one of them fetches the devices of all of these first.
  void Run(std::vector<Queue::Taken> taken, Ran* ran, Batch* batch);
  void PrefetchFor(const std::vector<Queue::Taken>& taken);
  void CommitAndAnswer(Ran ran, BeforeCommit before_commit, Batch* batch);
  // Runs, commits and answers those of teams that have just become active, if there are any.
  void ServeNewcomers(BeforeCommit before_commit, Batch* batch);
  Queue::Taken Pop() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Zero without a clock.
  MonotonicTime Now() const { return clock_ == nullptr ? MonotonicTime() : clock_->Monotonic(); }

  Store* const store_;
  const Clock* const clock_;
  absl::Mutex mutex_;
  Queue queue_ ABSL_GUARDED_BY(mutex_);
  // Urgent operations in it.
  size_t urgent_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  metrics::Counter refused_;
  metrics::Histogram batch_sizes_{metrics::kBatchSizes, metrics::Histogram::Unit::kItems};
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SERVER_GROUP_COMMIT_H_
