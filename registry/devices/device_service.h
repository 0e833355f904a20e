#ifndef BELLWIRE_REGISTRY_DEVICES_DEVICE_SERVICE_H_
#define BELLWIRE_REGISTRY_DEVICES_DEVICE_SERVICE_H_

#include "registry/server/group_commit.h"
#include "rpc/registry_api.h"

namespace bellwire::registry {

// The registry's port as far as devices are administered: checks requests in the caller's thread
// and has them run by the one thread that owns the store. Thread-safe.
class DeviceService final : public DeviceApi {
 public:
  // `group_commit` must outlive it.
  explicit DeviceService(GroupCommit* group_commit) : group_commit_(group_commit) {}

  BELLWIRE_DEVICE_METHODS(BELLWIRE_OVERRIDE)

 private:
  GroupCommit* const group_commit_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_DEVICES_DEVICE_SERVICE_H_
