#include "registry/server/batch_wait.h"

#include <cstddef>

namespace bellwire::registry {
namespace {

// After such a batch more is on its way: those whose answers it was, and who waits behind them. A
// moment for it to come saves syncs, each of which costs as much as several operations.
constexpr size_t kCompanyFromOperations = 32;
constexpr absl::Duration kCompanyWait = absl::Microseconds(500);

// After a smaller one the acknowledgements of what it handed over are on their way. They are in no
// hurry: they share the sync of the next message, if that comes soon, instead of making it wait
// behind one of their own. Who comes later than that finds nobody waiting, and waits for nobody.
constexpr absl::Duration kUrgentWait = absl::Milliseconds(2);
// After several that were in no hurry themselves more of their kind come: a crowd that logs in.
// Whoever comes alone, one after the other, waits for nobody.
constexpr absl::Duration kCrowdWait = absl::Milliseconds(5);

}  // namespace

BatchWait WaitAfter(const GroupCommit::Batch& batch) {
  if (batch.operations >= kCompanyFromOperations) return {BatchWait::For::kCompany, kCompanyWait};
  if (batch.urgent) return {BatchWait::For::kUrgent, kUrgentWait};
  if (batch.operations > 1) return {BatchWait::For::kUrgent, kCrowdWait};
  return {};
}

}  // namespace bellwire::registry
