#ifndef BELLWIRE_REGISTRY_SERVER_BATCH_WAIT_H_
#define BELLWIRE_REGISTRY_SERVER_BATCH_WAIT_H_

#include "absl/time/time.h"
#include "registry/server/group_commit.h"

namespace bellwire::registry {

// Whom the writer waits for after a batch, and for how long at most: each sync costs as much as
// several operations, and what comes a moment later could share the next one
// (docs/decisions/one_writer.md).
struct BatchWait {
  enum class For {
    kNobody,
    // As many operations as the batch had (GroupCommit::WaitForCompany).
    kCompany,
    // One that is urgent (GroupCommit::WaitForUrgent).
    kUrgent,
  };
  For whom = For::kNobody;
  absl::Duration at_most;
};

// Pure.
BatchWait WaitAfter(const GroupCommit::Batch& batch);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SERVER_BATCH_WAIT_H_
