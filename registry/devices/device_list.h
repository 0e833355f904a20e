#ifndef BELLWIRE_REGISTRY_DEVICES_DEVICE_LIST_H_
#define BELLWIRE_REGISTRY_DEVICES_DEVICE_LIST_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "bellwire/admin/v1/devices.pb.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/ids.h"
#include "registry/engine/kv_engine.h"
#include "registry/mailbox/device_transaction.h"

// What the store says of its devices, to people. Errors: those of KvReader.
namespace bellwire::registry {

// Devices of one page: each costs a look of its own, as the records of a device lie between it and
// the next one.
inline constexpr size_t kMaxDevicesPerPage = 100;

// The first device that has records, after this one. nullopt: there is none. `owns`: only of those
// that it says so of; empty: of all.
absl::StatusOr<std::optional<DeviceId>> NextDevice(
    const KvReader& reader, const std::optional<DeviceId>& after,
    const std::function<bool(const DeviceId&)>& owns = {});

struct DevicePage {
  std::vector<std::pair<DeviceId, storage::v1::Device>> devices;
  // Whether there are more after the last one.
  bool more = false;
};
// At most `max` devices after this one, in the order of their ids.
absl::StatusOr<DevicePage> PageDevices(const KvReader& reader, const std::optional<DeviceId>& after,
                                       size_t max,
                                       const std::function<bool(const DeviceId&)>& owns = {});

// As people see it.
admin::v1::Device ToProto(const DeviceId& device, const storage::v1::Device& record);

// The device of `tx` and what is registered on it.
//   NOT_FOUND DEVICE_NOT_FOUND
absl::StatusOr<admin::v1::GetDeviceResponse> DescribeDevice(DeviceTransaction& tx);

// NOT_FOUND DEVICE_NOT_FOUND
absl::Status DeviceNotFoundError(const DeviceId& device);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_DEVICES_DEVICE_LIST_H_
