#ifndef BELLWIRE_REGISTRY_DELETION_DELETIONS_H_
#define BELLWIRE_REGISTRY_DELETION_DELETIONS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/ids.h"
#include "registry/engine/chore.h"
#include "registry/engine/device_window.h"
#include "registry/engine/overlay.h"
#include "registry/mailbox/device_transaction.h"

namespace bellwire::registry {

// What is left of teams and apps that were deleted: their registrations on devices with all
// messages and receipts, and a team's feed, topics and own record. The catalogue has forgotten them
// already, so that all of their tokens are dead; this takes the records away, one deletion after
// the other, in steps of a bounded number of records and, of devices, a transaction each. Nobody
// gets a receipt.
//
// A deletion has a record of its own (storage.proto, Deletion) until nothing else is left.
//
// For the thread that owns the store.
class Deletions final : public Chore {
 public:
  // Where a deletion is: Deletion.phase. These numbers are stored.
  enum class Phase : uint32_t { kDevices = 0, kReceipts = 1, kTopics = 2, kTeam = 3 };

  using OnDevice = absl::FunctionRef<absl::Status(DeviceTransaction&)>;
  struct Options {
    // Runs a transaction of a device, staged as all others.
    std::function<absl::Status(const DeviceId& device, OnDevice operation)> on_device;
    // Has the relay move what devices left for teams. Whether there is more of it.
    std::function<absl::StatusOr<bool>()> relay;
    // All feeds of a team (registry/keys/feeds.h). Where registries share the store, the one that
    // calls Step has all of them.
    std::function<std::vector<uint32_t>()> feeds = [] { return std::vector<uint32_t>{0}; };
  };

  explicit Deletions(Options options) : options_(std::move(options)) {}

  // Stages the deletion of a team, or of an app of it, that the catalogue forgets in the same
  // commit. `app_created_at_ms`: AppCreatedAtMs of the app (registry/catalogue/app_lives.h).
  void Begin(absl::string_view team_id, absl::string_view app_id, int64_t app_created_at_ms,
             int64_t now_ms, Overlay* staged);

  absl::StatusOr<bool> Step(Overlay* staged, ChoreBudget* budget) override;

  // What was staged is not there.
  void OnCommitFailed() { may_have_some_ = true; }

 private:
  struct Open {
    std::string key;
    std::string team_id;
    // Empty: of the team.
    std::string app_id;
    storage::v1::Deletion record;
  };

  // Each stages a step of its phase, and changes the record; true: the phase is over.
  absl::StatusOr<bool> EraseOnDevices(Open* open, Overlay* staged, ChoreBudget* budget);
  absl::StatusOr<bool> EraseReceipts(const Open& open, Overlay* staged);
  absl::StatusOr<bool> EraseTopics(const Open& open, Overlay* staged);

  const Options options_;
  // False: there is none, so that no step needs to look.
  bool may_have_some_ = true;
  DeviceWindow window_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_DELETION_DELETIONS_H_
