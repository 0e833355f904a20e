#include "registry/devices/device_list.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "google/protobuf/util/time_util.h"
#include "registry/engine/records.h"
#include "registry/engine/store_error.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {

using google::protobuf::util::TimeUtil;

absl::Status DeviceNotFoundError(const DeviceId& device) {
  return MakeError(absl::StatusCode::kNotFound, "DEVICE_NOT_FOUND",
                   absl::StrCat("there is no device ", ToHex(device)));
}

absl::StatusOr<std::optional<DeviceId>> NextDevice(
    const KvReader& reader, const std::optional<DeviceId>& after,
    const std::function<bool(const DeviceId&)>& owns) {
  std::string from = after.has_value() ? DeviceEnd(*after) : std::string();
  std::optional<DeviceId> found;
  bool is_broken = false;
  BELLWIRE_RETURN_IF_ERROR(reader.Scan(
      Family::kDevices, from, DevicesEnd(), [&](absl::string_view key, absl::string_view) {
        found = DeviceId::FromBytes(key.substr(0, DeviceId::kSize));
        is_broken = !found.has_value();
        if (is_broken || !owns || owns(*found)) return false;
        found.reset();
        return true;
      }));
  if (is_broken) return StoreCorruptError("a key of the devices that is no device's");
  return found;
}

absl::StatusOr<DevicePage> PageDevices(const KvReader& reader, const std::optional<DeviceId>& after,
                                       size_t max,
                                       const std::function<bool(const DeviceId&)>& owns) {
  DevicePage page;
  std::optional<DeviceId> last = after;
  while (true) {
    BELLWIRE_ASSIGN_OR_RETURN(const std::optional<DeviceId> next, NextDevice(reader, last, owns));
    if (!next.has_value()) return page;
    if (page.devices.size() == max) {
      page.more = true;
      return page;
    }
    BELLWIRE_ASSIGN_OR_RETURN(
        std::optional<storage::v1::Device> record,
        GetRecord<storage::v1::Device>(reader, Family::kDevices, DeviceRecordKey(*next)));
    if (!record.has_value()) return StoreCorruptError("a device without a record of its own");
    page.devices.emplace_back(*next, *std::move(record));
    last = next;
  }
}

admin::v1::Device ToProto(const DeviceId& device, const storage::v1::Device& record) {
  admin::v1::Device proto;
  proto.set_device_id(ToHex(device));
  if (record.created_at_ms() != 0) {
    *proto.mutable_create_time() = TimeUtil::MillisecondsToTimestamp(record.created_at_ms());
  }
  if (record.revoked_at_ms() != 0) {
    *proto.mutable_revoke_time() = TimeUtil::MillisecondsToTimestamp(record.revoked_at_ms());
  }
  proto.set_deleting(record.deleting());
  proto.set_connected(record.has_route());
  proto.set_connector(record.route().connector_address());
  proto.set_registrations(record.live_registrations());
  proto.set_subscriptions(record.live_subscriptions());
  proto.set_mailbox_messages(record.mailbox_records());
  proto.set_enrolment_id(record.enrolment_id());
  proto.set_login_number(record.last_login_number());
  return proto;
}

absl::StatusOr<admin::v1::GetDeviceResponse> DescribeDevice(DeviceTransaction& tx) {
  if (!tx.exists()) return DeviceNotFoundError(tx.device_id());
  admin::v1::GetDeviceResponse response;
  *response.mutable_device() = ToProto(tx.device_id(), tx.device());
  BELLWIRE_RETURN_IF_ERROR(tx.ScanRegistrations([&](uint64_t,
                                                    const storage::v1::Registration& registration) {
    admin::v1::GetDeviceResponse::Registration* entry = response.add_registrations();
    entry->set_app_id(registration.app_id());
    entry->set_team_id(registration.team_id());
    *entry->mutable_create_time() = TimeUtil::MillisecondsToTimestamp(registration.created_at_ms());
    if (registration.removed_at_ms() != 0) {
      *entry->mutable_remove_time() =
          TimeUtil::MillisecondsToTimestamp(registration.removed_at_ms());
    }
    entry->set_waiting_messages(static_cast<uint32_t>(registration.pending_size()));
    entry->set_topics(registration.topics());
  }));
  return response;
}

}  // namespace bellwire::registry
