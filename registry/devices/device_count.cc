#include "registry/devices/device_count.h"

#include <algorithm>
#include <cassert>

#include "bellwire/storage/v1/storage.pb.h"
#include "common/ids.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "registry/devices/device_list.h"
#include "registry/engine/records.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {
namespace {

absl::StatusOr<uint64_t> CountAll(const KvReader& reader) {
  uint64_t count = 0;
  std::optional<DeviceId> after;
  while (true) {
    BELLWIRE_ASSIGN_OR_RETURN(const std::optional<DeviceId> next, NextDevice(reader, after));
    if (!next.has_value()) return count;
    ++count;
    after = next;
  }
}

}  // namespace

absl::StatusOr<uint64_t> DeviceCount::Get() {
  if (!count_.has_value()) {
    BELLWIRE_ASSIGN_OR_RETURN(const auto record, GetRecord<storage::v1::DeviceCount>(
                                                     *staged_, Family::kNames, DeviceCountKey()));
    if (record.has_value()) {
      count_ = record->devices();
    } else {
      BELLWIRE_ASSIGN_OR_RETURN(count_, CountAll(*staged_));
      if (*count_ != 0) LogInfo("devices_counted", {{"devices", *count_}});
    }
    latest_.store(*count_);
  }
  return *count_;
}

void DeviceCount::Change(int64_t by) {
  assert(count_.has_value());
  const uint64_t before = *count_;
  count_ = by < 0 ? before - std::min<uint64_t>(before, static_cast<uint64_t>(-by))
                  : before + static_cast<uint64_t>(by);
  latest_.store(*count_);
  storage::v1::DeviceCount record;
  record.set_devices(*count_);
  staged_->Put(Family::kNames, DeviceCountKey(), record.SerializeAsString());
}

}  // namespace bellwire::registry
