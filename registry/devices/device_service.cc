#include "registry/devices/device_service.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "registry/devices/device_list.h"
#include "registry/devices/enrolments.h"
#include "registry/engine/store_error.h"
#include "registry/server/store.h"

namespace bellwire::registry {
namespace {

constexpr size_t kEnrolmentIdChars = 10;
constexpr size_t kTokenHashBytes = 32;
constexpr size_t kMaxEnrolmentNameBytes = 64;

absl::Status CheckEnrolment(const admin::v1::Enrolment& enrolment) {
  if (enrolment.enrolment_id().size() != kEnrolmentIdChars) {
    return BadFieldError("enrolment_id", "must have ten characters");
  }
  if (enrolment.token_sha256().size() != kTokenHashBytes) {
    return BadFieldError("token_sha256", "must have 32 bytes");
  }
  if (enrolment.name().size() > kMaxEnrolmentNameBytes) {
    return BadFieldError("name", "is too long");
  }
  if (enrolment.devices() > Enrolments::kMaxDevices) {
    return BadFieldError("devices", "is too great");
  }
  if (!enrolment.has_create_time() || !enrolment.has_expire_time()) {
    return BadFieldError("expire_time", "is missing, or create_time is");
  }
  return absl::OkStatus();
}

}  // namespace

void DeviceService::PutEnrolment(admin::v1::Enrolment request, Done<admin::v1::Enrolment> done) {
  if (const absl::Status checked = CheckEnrolment(request); !checked.ok()) {
    return std::move(done)(checked);
  }
  group_commit_->Submit<admin::v1::Enrolment>(
      Owner::Operator(),
      [enrolment = std::move(request)](Store& store) { return store.PutEnrolment(enrolment); },
      std::move(done));
}

void DeviceService::ListEnrolments(admin::v1::ListEnrolmentsRequest,
                                   Done<admin::v1::ListEnrolmentsResponse> done) {
  group_commit_->Submit<admin::v1::ListEnrolmentsResponse>(
      Owner::Operator(),
      [](Store& store) -> absl::StatusOr<admin::v1::ListEnrolmentsResponse> {
        BELLWIRE_ASSIGN_OR_RETURN(std::vector<admin::v1::Enrolment> all, store.ListEnrolments());
        admin::v1::ListEnrolmentsResponse response;
        for (admin::v1::Enrolment& one : all) *response.add_enrolments() = std::move(one);
        return response;
      },
      std::move(done));
}

void DeviceService::DeleteEnrolment(admin::v1::DeleteEnrolmentRequest request,
                                    Done<admin::v1::Enrolment> done) {
  group_commit_->Submit<admin::v1::Enrolment>(
      Owner::Operator(),
      [id = request.enrolment_id()](Store& store) { return store.DeleteEnrolment(id); },
      std::move(done));
}

void DeviceService::ListDevices(admin::v1::ListDevicesRequest request,
                                Done<admin::v1::ListDevicesResponse> done) {
  std::optional<DeviceId> after;
  if (!request.after().empty()) {
    after = DeviceIdFromHex(request.after());
    if (!after.has_value()) {
      return std::move(done)(BadFieldError("after", "must be 32 characters of hex"));
    }
  }
  group_commit_->Submit<admin::v1::ListDevicesResponse>(
      Owner::Operator(),
      [after, max = request.max()](Store& store) { return store.ListDevices(after, max); },
      std::move(done));
}

void DeviceService::GetDevice(internal::v1::GetDeviceRequest request,
                              Done<admin::v1::GetDeviceResponse> done) {
  const std::optional<DeviceId> device = DeviceId::FromBytes(request.device_id());
  if (!device.has_value()) {
    return std::move(done)(BadFieldError("device_id", "must be 16 bytes"));
  }
  group_commit_->Submit<admin::v1::GetDeviceResponse>(
      Owner::Operator(), [device = *device](Store& store) { return store.GetDevice(device); },
      std::move(done));
}

void DeviceService::EndDevice(internal::v1::EndDeviceRequest request,
                              Done<internal::v1::EndDeviceResponse> done) {
  using Request = internal::v1::EndDeviceRequest;
  const std::optional<DeviceId> device = DeviceId::FromBytes(request.device_id());
  if (!device.has_value()) {
    return std::move(done)(BadFieldError("device_id", "must be 16 bytes"));
  }
  DeviceEndOptions options;
  switch (request.mode()) {
    case Request::COUNT_REVOKE:
      options.dry_run = true;
      break;
    case Request::COUNT_DELETE:
      options = {.forget = true, .dry_run = true};
      break;
    case Request::REVOKE:
      break;
    case Request::DELETE:
      options.forget = true;
      break;
    default:
      return std::move(done)(BadFieldError("mode", "is not known"));
  }
  group_commit_->Submit<internal::v1::EndDeviceResponse>(
      Owner::Operator(),
      [device = *device, options](Store& store) -> absl::StatusOr<internal::v1::EndDeviceResponse> {
        BELLWIRE_ASSIGN_OR_RETURN(const DeviceEndStep step, store.EndDevice(device, options));
        internal::v1::EndDeviceResponse response;
        *response.mutable_ended()->mutable_device() = ToProto(device, step.device);
        response.mutable_ended()->set_registrations(step.registrations);
        response.mutable_ended()->set_messages(step.messages);
        response.mutable_ended()->set_lives(step.lives);
        response.set_done(step.done);
        return response;
      },
      std::move(done));
}

}  // namespace bellwire::registry
