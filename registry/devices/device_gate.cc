#include "registry/devices/device_gate.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "crypto/device_certificate.h"
#include "registry/devices/device_list.h"
#include "registry/devices/enrolments.h"
#include "registry/mailbox/session.h"

namespace bellwire::registry {
namespace {

// A full store has room again when somebody makes it: hours.
constexpr absl::Duration kFullRetryAfter = absl::Hours(1);

// Of Refusal, in its order.
constexpr absl::string_view kRefusalNames[] = {"not_enrolled", "too_many_devices",
                                               "too_many_new_devices"};

}  // namespace

DeviceGate::DeviceGate(DevicePolicy policy, Overlay* staged, const Clock* clock, Sharing sharing)
    : policy_(policy),
      sharing_(std::move(sharing)),
      staged_(staged),
      clock_(clock),
      count_(staged, clock, sharing_.feeds),
      new_devices_(policy.new_devices_per_hour) {
  static_assert(std::size(kRefusalNames) == kRefusals);
}

absl::Status DeviceGate::Refuse(Refusal refusal, absl::Status status) {
  if (!absl::IsUnavailable(status)) refused_[static_cast<size_t>(refusal)].Add();
  return status;
}

absl::StatusOr<std::string> DeviceGate::Enrol(const DeviceTransaction& tx, absl::string_view shown,
                                              Overlay* admission) const {
  if (!LooksLikeDeviceCertificate(shown)) {
    return Enrolments(admission, sharing_.feeds).Use(shown, tx.now_ms());
  }
  if (policy_.authority == nullptr) {
    return MakeError(absl::StatusCode::kUnauthenticated, "BAD_ENROLMENT",
                     "this server takes no device certificates (--device_ca); ask whoever runs it "
                     "for an enrolment token");
  }
  BELLWIRE_ASSIGN_OR_RETURN(
      const std::string serial,
      policy_.authority->Check(shown, tx.device_id(), absl::FromUnixMillis(tx.now_ms())));
  return absl::StrCat("certificate ", serial);
}

absl::Status DeviceGate::Admit(DeviceTransaction& tx, absl::string_view enrolment_token,
                               absl::string_view peer, Overlay* admission) {
  std::string enrolment_id;
  if (policy_.enrolled_only) {
    absl::StatusOr<std::string> used = Enrol(tx, enrolment_token, admission);
    if (!used.ok()) return Refuse(Refusal::kNotEnrolled, used.status());
    enrolment_id = *std::move(used);
  }
  if (policy_.max_devices != 0) {
    BELLWIRE_ASSIGN_OR_RETURN(const uint64_t devices, count_.Get());
    if (devices >= policy_.max_devices) {
      return Refuse(
          Refusal::kTooManyDevices,
          WithRetryAfter(MakeError(absl::StatusCode::kResourceExhausted, "TOO_MANY_DEVICES",
                                   absl::StrCat("the server has ", devices,
                                                " devices, which is the most that it "
                                                "takes")),
                         kFullRetryAfter));
    }
  }
  if (sharing_.share) new_devices_.SetShare(sharing_.share());
  const absl::Status in_time = new_devices_.Admit(peer, clock_->Monotonic());
  if (!in_time.ok()) return Refuse(Refusal::kTooManyNewDevices, in_time);
  storage::v1::Device& device = tx.mutable_device();
  device.set_created_at_ms(tx.now_ms());
  device.set_enrolment_id(std::move(enrolment_id));
  admitted_.Add();
  return absl::OkStatus();
}

absl::Status DeviceGate::CheckMayRegister(const DeviceTransaction& tx) const {
  if (!tx.exists() && policy_.only_known_devices) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "SESSION_FORGOTTEN",
                     "the device is not known: it was deleted, or this store comes from before it "
                     "came in; it has to log in again");
  }
  return CheckNotRevoked(tx);
}

void DeviceGate::OnRegistration(const absl::Status& status) {
  if (ErrorReason(status) == "LIMIT_REACHED") registrations_refused_.Add();
}

absl::Status DeviceGate::PrepareChange(const DeviceTransaction& tx) {
  if (!tx.creates_device() && !tx.deletes_device()) return absl::OkStatus();
  return count_.Get().status();
}

void DeviceGate::OnChange(const DeviceTransaction& tx) {
  if (tx.deletes_device()) return count_.Change(-1);
  if (tx.creates_device()) return count_.Change(+1);
}

absl::StatusOr<admin::v1::ListDevicesResponse> DeviceGate::List(
    const std::optional<DeviceId>& after, size_t max,
    absl::FunctionRef<const internal::v1::Route*(const DeviceId&)> route_of) {
  if (max == 0) max = kMaxDevicesPerPage;
  DevicePage page;
  // A registry that owns none would look through all of them.
  const bool has_some = !sharing_.share || sharing_.share() > 0;
  if (has_some) {
    BELLWIRE_ASSIGN_OR_RETURN(
        page, PageDevices(*staged_, after, std::min(max, kMaxDevicesPerPage), sharing_.owns));
  }
  admin::v1::ListDevicesResponse response;
  for (auto& [device, record] : page.devices) {
    const internal::v1::Route* waiting = route_of(device);
    if (waiting != nullptr && waiting->login_number() > record.last_login_number()) {
      *record.mutable_route() = *waiting;
      record.set_last_login_number(waiting->login_number());
    }
    *response.add_devices() = ToProto(device, record);
  }
  response.set_more(page.more);
  BELLWIRE_ASSIGN_OR_RETURN(const uint64_t total, count_.Get());
  response.set_total(total);
  response.set_max_devices(policy_.max_devices);
  return response;
}

void DeviceGate::Report(metrics::Samples* samples) const {
  samples->Add(metrics::kDevices, static_cast<double>(count_.latest()));
  if (policy_.max_devices != 0) {
    samples->AddQueue("store_devices", count_.latest(), policy_.max_devices);
  }
  if (policy_.new_devices_per_hour != 0) {
    samples->AddQueue("new_devices", new_devices_.counted(), policy_.new_devices_per_hour);
  }
  samples->Add(metrics::kDevicesAdmitted, admitted_);
  for (size_t i = 0; i < kRefusals; ++i) {
    samples->Add(metrics::kDevicesRefused, {kRefusalNames[i]}, refused_[i]);
  }
  samples->Add(metrics::kRegistrationsRefused, registrations_refused_);
}

}  // namespace bellwire::registry
