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

uint64_t DeviceCount::Sum() const {
  return static_cast<uint64_t>(std::max<int64_t>(count_.value_or(0) + others_, 0));
}

absl::Status DeviceCount::ReadOthers() {
  if (clock_->Monotonic() < others_until_) return absl::OkStatus();
  int64_t others = 0;
  for (const uint32_t feed : feeds_.all()) {
    if (feed == feeds_.own) continue;
    BELLWIRE_ASSIGN_OR_RETURN(
        const auto record,
        GetRecord<storage::v1::DeviceCount>(*staged_, Family::kNames, DeviceCountKey(feed)));
    if (record.has_value()) others += static_cast<int64_t>(record->devices());
  }
  others_ = others;
  others_until_ = clock_->Monotonic() + kOthersAge;
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> DeviceCount::Get() {
  if (!count_.has_value()) {
    BELLWIRE_ASSIGN_OR_RETURN(const auto record,
                              GetRecord<storage::v1::DeviceCount>(*staged_, Family::kNames,
                                                                  DeviceCountKey(feeds_.own)));
    if (record.has_value()) {
      count_ = static_cast<int64_t>(record->devices());
    } else if (feeds_.own != 0) {
      count_ = 0;
    } else {
      BELLWIRE_ASSIGN_OR_RETURN(const uint64_t all, CountAll(*staged_));
      if (all != 0) LogInfo("devices_counted", {{"devices", all}});
      count_ = static_cast<int64_t>(all);
    }
  }
  BELLWIRE_RETURN_IF_ERROR(ReadOthers());
  latest_.store(Sum());
  return Sum();
}

void DeviceCount::Change(int64_t by) {
  assert(count_.has_value());
  count_ = feeds_.own == 0 ? std::max<int64_t>(*count_ + by, 0) : *count_ + by;
  latest_.store(Sum());
  storage::v1::DeviceCount record;
  record.set_devices(static_cast<uint64_t>(*count_));
  staged_->Put(Family::kNames, DeviceCountKey(feeds_.own), record.SerializeAsString());
}

}  // namespace bellwire::registry
