// The part of AdminService about devices: bellwire.admin.v1, DeviceService. The rest of it is in
// admin_service.cc.

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/ids.h"
#include "crypto/enrolment_token.h"
#include "gateway/admin/admin_service.h"
#include "gateway/send/registry_error.h"
#include "gateway/send/validator.h"
#include "google/protobuf/util/time_util.h"

namespace bellwire::gateway {
namespace {

using google::protobuf::util::TimeUtil;
using EndRequest = internal::v1::EndDeviceRequest;

constexpr size_t kMaxEnrolmentNameBytes = 64;
constexpr uint32_t kMaxEnrolledDevices = 1'000'000;
constexpr int64_t kMaxEnrolmentSeconds = 366 * 24 * 3600;

absl::Status BadEnrolment(absl::string_view field, absl::string_view message) {
  return WithField(MakeError(absl::StatusCode::kInvalidArgument, "BAD_ENROLMENT", message), field);
}

absl::Status CheckRequest(const admin::v1::CreateEnrolmentRequest& request) {
  if (request.name().size() > kMaxEnrolmentNameBytes) {
    return BadEnrolment("name", absl::StrCat("An enrolment's name has at most ",
                                             kMaxEnrolmentNameBytes, " bytes."));
  }
  if (request.devices() > kMaxEnrolledDevices) {
    return BadEnrolment(
        "devices", absl::StrCat("An enrolment lets in at most ", kMaxEnrolledDevices, " devices."));
  }
  const google::protobuf::Duration& ttl = request.ttl();
  if (ttl.seconds() < 0 || ttl.nanos() < 0 || (ttl.seconds() == 0 && ttl.nanos() == 0) ||
      ttl.seconds() > kMaxEnrolmentSeconds) {
    return BadEnrolment("ttl", "An enrolment is good for more than 0 s and at most 366 days.");
  }
  return absl::OkStatus();
}

absl::StatusOr<DeviceId> ParseDeviceId(absl::string_view text, absl::string_view field) {
  const std::optional<DeviceId> device = DeviceIdFromHex(text);
  if (device.has_value()) return *device;
  return WithField(MakeError(absl::StatusCode::kInvalidArgument, "BAD_DEVICE_ID",
                             "A device id is 32 characters of lower-case hex: `bellwire device "
                             "list` shows it, and so does `bellwire agent status` on the phone."),
                   field);
}

// The steps of one device's end, one after the other. Goes on if the caller does not wait: what was
// begun comes to its end.
class DeviceEnd : public std::enable_shared_from_this<DeviceEnd> {
 public:
  using Call =
      std::shared_ptr<UnaryHandle<admin::v1::EndDeviceRequest, admin::v1::EndDeviceResponse>>;

  DeviceEnd(DeviceApi* devices, const DeviceId& device, EndRequest::Mode mode, Call call)
      : devices_(devices), call_(std::move(call)) {
    request_.set_device_id(std::string(device.bytes()));
    request_.set_mode(mode);
  }

  void Step() {
    devices_->EndDevice(request_, [self = shared_from_this()](
                                      absl::StatusOr<internal::v1::EndDeviceResponse> step) {
      self->OnStep(std::move(step));
    });
  }

 private:
  void OnStep(absl::StatusOr<internal::v1::EndDeviceResponse> step) {
    if (!step.ok()) return call_->Finish(FromRegistryError(step.status()));
    const admin::v1::EndDeviceResponse& ended = step->ended();
    if (!ended_.has_device()) *ended_.mutable_device() = ended.device();
    ended_.set_registrations(ended_.registrations() + ended.registrations());
    ended_.set_messages(ended_.messages() + ended.messages());
    ended_.set_lives(ended_.lives() + ended.lives());
    if (!step->done()) return Step();
    call_->Finish(std::move(ended_));
  }

  DeviceApi* const devices_;
  const Call call_;
  EndRequest request_;
  admin::v1::EndDeviceResponse ended_;
};

}  // namespace

void AdminService::CreateEnrolment(
    Call<admin::v1::CreateEnrolmentRequest, admin::v1::CreateEnrolmentResponse> call,
    admin::v1::CreateEnrolmentRequest request) {
  if (const absl::Status checked = CheckRequest(request); !checked.ok()) {
    return call->Finish(checked);
  }
  admin::v1::Enrolment enrolment;
  enrolment.set_enrolment_id(NewShortId());
  enrolment.set_name(std::move(*request.mutable_name()));
  enrolment.set_devices(request.devices());
  const int64_t now_ms = WallNowMs(*clock_);
  *enrolment.mutable_create_time() = TimeUtil::MillisecondsToTimestamp(now_ms);
  *enrolment.mutable_expire_time() =
      TimeUtil::MillisecondsToTimestamp(now_ms + TimeUtil::DurationToMilliseconds(request.ttl()));
  std::string token = NewEnrolmentToken(enrolment.enrolment_id());
  enrolment.set_token_sha256(HashEnrolmentToken(token));
  devices_->PutEnrolment(
      std::move(enrolment),
      [call, token = std::move(token)](absl::StatusOr<admin::v1::Enrolment> put) mutable {
        if (!put.ok()) return call->Finish(FromRegistryError(put.status()));
        admin::v1::CreateEnrolmentResponse response;
        *response.mutable_enrolment() = *std::move(put);
        response.set_token(std::move(token));
        call->Finish(std::move(response));
      });
}

void AdminService::ListEnrolments(
    Call<admin::v1::ListEnrolmentsRequest, admin::v1::ListEnrolmentsResponse> call,
    admin::v1::ListEnrolmentsRequest request) {
  devices_->ListEnrolments(std::move(request),
                           [call](absl::StatusOr<admin::v1::ListEnrolmentsResponse> listed) {
                             if (!listed.ok())
                               return call->Finish(FromRegistryError(listed.status()));
                             call->Finish(*std::move(listed));
                           });
}

void AdminService::DeleteEnrolment(
    Call<admin::v1::DeleteEnrolmentRequest, admin::v1::Enrolment> call,
    admin::v1::DeleteEnrolmentRequest request) {
  devices_->DeleteEnrolment(std::move(request),
                            [call](absl::StatusOr<admin::v1::Enrolment> deleted) {
                              if (!deleted.ok()) {
                                return call->Finish(FromRegistryError(deleted.status()));
                              }
                              call->Finish(*std::move(deleted));
                            });
}

void AdminService::ListDevices(
    Call<admin::v1::ListDevicesRequest, admin::v1::ListDevicesResponse> call,
    admin::v1::ListDevicesRequest request) {
  if (!request.after().empty()) {
    const absl::StatusOr<DeviceId> after = ParseDeviceId(request.after(), "after");
    if (!after.ok()) return call->Finish(after.status());
  }
  devices_->ListDevices(std::move(request),
                        [call](absl::StatusOr<admin::v1::ListDevicesResponse> listed) {
                          if (!listed.ok()) {
                            return call->Finish(FromRegistryError(listed.status()));
                          }
                          call->Finish(*std::move(listed));
                        });
}

void AdminService::GetDevice(Call<admin::v1::GetDeviceRequest, admin::v1::GetDeviceResponse> call,
                             admin::v1::GetDeviceRequest request) {
  internal::v1::GetDeviceRequest get;
  if (request.token().empty()) {
    const absl::StatusOr<DeviceId> device = ParseDeviceId(request.device_id(), "device_id");
    if (!device.ok()) return call->Finish(device.status());
    get.set_device_id(std::string(device->bytes()));
  } else {
    const absl::StatusOr<TokenContents> token = OpenToken(request.token(), *sealer_);
    if (!token.ok()) return call->Finish(token.status());
    get.set_device_id(std::string(token->device_id.bytes()));
  }
  devices_->GetDevice(std::move(get), [call](absl::StatusOr<admin::v1::GetDeviceResponse> got) {
    if (!got.ok()) return call->Finish(FromRegistryError(got.status()));
    call->Finish(*std::move(got));
  });
}

void AdminService::RevokeDevice(
    Call<admin::v1::EndDeviceRequest, admin::v1::EndDeviceResponse> call,
    admin::v1::EndDeviceRequest request) {
  const absl::StatusOr<DeviceId> device = ParseDeviceId(request.device_id(), "device_id");
  if (!device.ok()) return call->Finish(device.status());
  std::make_shared<DeviceEnd>(devices_, *device,
                              request.dry_run() ? EndRequest::COUNT_REVOKE : EndRequest::REVOKE,
                              std::move(call))
      ->Step();
}

void AdminService::DeleteDevice(
    Call<admin::v1::EndDeviceRequest, admin::v1::EndDeviceResponse> call,
    admin::v1::EndDeviceRequest request) {
  const absl::StatusOr<DeviceId> device = ParseDeviceId(request.device_id(), "device_id");
  if (!device.ok()) return call->Finish(device.status());
  std::make_shared<DeviceEnd>(devices_, *device,
                              request.dry_run() ? EndRequest::COUNT_DELETE : EndRequest::DELETE,
                              std::move(call))
      ->Step();
}

}  // namespace bellwire::gateway
