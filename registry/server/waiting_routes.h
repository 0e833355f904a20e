#ifndef BELLWIRE_REGISTRY_SERVER_WAITING_ROUTES_H_
#define BELLWIRE_REGISTRY_SERVER_WAITING_ROUTES_H_

#include <cstddef>
#include <deque>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "common/ids.h"

namespace bellwire::registry {

// The routes of sessions that were bound and answered, and that their devices' records don't have
// yet: a login that hands nothing out needs no sync of its own
// (docs/decisions/unwritten_logins.md). Each is written with what else is, or by the next sweep;
// the oldest come first.
//
// A route counts only if its login number is greater than the record's. So one that was written
// meanwhile, or that a failed commit may have written, does no harm here.
//
// Holds at most kMaxWaitingRoutes. Not thread-safe.
class WaitingRoutes {
 public:
  // In place of the one that waits for this device, if any. False: there is no room, and nothing
  // was done.
  bool Add(const DeviceId& device, const internal::v1::Route& route);
  // nullptr: none waits for this device. Good until the next call of anything else.
  const internal::v1::Route* Find(const DeviceId& device) const;

  // Gives `stage` the oldest ones that were not staged since the last commit, at most `max`. They
  // stay until the commit has written them. An error of `stage` ends it, and is answered.
  absl::Status Stage(
      size_t max,
      absl::FunctionRef<absl::Status(const DeviceId&, const internal::v1::Route&)> stage);
  // The commit of what was staged was OK, or failed.
  void OnCommitted();
  void OnCommitFailed();

  // How many were not staged.
  size_t unstaged() const { return order_.size() - staged_; }

 private:
  struct Waiting {
    internal::v1::Route route;
    // This very one, and not one that it took the place of.
    bool staged = false;
  };

  absl::flat_hash_map<DeviceId, Waiting> routes_;
  // The devices in routes_, each once. The first `staged_` were staged.
  std::deque<DeviceId> order_;
  size_t staged_ = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SERVER_WAITING_ROUTES_H_
