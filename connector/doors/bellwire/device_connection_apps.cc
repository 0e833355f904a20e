// The part of DeviceConnection about apps, subscriptions and topics: requests that the registry
// answers.

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "connector/doors/bellwire/device_connection.h"
#include "rpc/topic_name.h"

namespace bellwire::connector {

using device::v1::ConnectorFrame;

namespace {

// The Web Push door's: what comes between the public URL and a token.
constexpr absl::string_view kEndpointPath = "/wpush/";

device::v1::AppRegistered::Outcome RegistrationOutcome(const absl::Status& status) {
  using device::v1::AppRegistered;
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return AppRegistered::OK;
    case absl::StatusCode::kNotFound:
      return AppRegistered::UNKNOWN_APP;
    case absl::StatusCode::kInvalidArgument:
      return ErrorReason(status) == "BAD_SUBSCRIPTION" ? AppRegistered::BAD_SUBSCRIPTION
                                                       : AppRegistered::BAD_APP_ID;
    case absl::StatusCode::kFailedPrecondition: {
      const std::string reason = ErrorReason(status);
      return reason == "VAPID_REQUIRED"      ? AppRegistered::VAPID_REQUIRED
             : reason == "SUBSCRIPTIONS_OFF" ? AppRegistered::SUBSCRIPTIONS_OFF
                                             : AppRegistered::UNAVAILABLE;
    }
    case absl::StatusCode::kResourceExhausted:
      // A full queue of the registry has the same code.
      return ErrorReason(status) == "LIMIT_REACHED" ? AppRegistered::LIMIT_REACHED
                                                    : AppRegistered::UNAVAILABLE;
    default:
      return AppRegistered::UNAVAILABLE;
  }
}

device::v1::TopicChanged::Outcome TopicOutcome(const absl::Status& status) {
  using device::v1::TopicChanged;
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return TopicChanged::OK;
    case absl::StatusCode::kInvalidArgument:
      return TopicChanged::BAD_TOPIC;
    case absl::StatusCode::kNotFound:
    // It is a subscription's, which has no topics.
    case absl::StatusCode::kPermissionDenied:
      return TopicChanged::UNREGISTERED;
    case absl::StatusCode::kResourceExhausted:
      // A full queue of the registry has the same code.
      return ErrorReason(status) == "LIMIT_REACHED" ? TopicChanged::LIMIT_REACHED
                                                    : TopicChanged::UNAVAILABLE;
    default:
      return TopicChanged::UNAVAILABLE;
  }
}

ConnectorFrame TopicChangedFrame(uint32_t request_id, device::v1::TopicChanged::Outcome outcome) {
  ConnectorFrame frame;
  frame.mutable_topic_changed()->set_request_id(request_id);
  frame.mutable_topic_changed()->set_outcome(outcome);
  return frame;
}

ConnectorFrame AppRemoved(uint32_t request_id, bool ok, uint64_t registrations_tag = 0) {
  ConnectorFrame frame;
  frame.mutable_app_removed()->set_request_id(request_id);
  frame.mutable_app_removed()->set_ok(ok);
  frame.mutable_app_removed()->set_registrations_tag(registrations_tag);
  return frame;
}

}  // namespace

void DeviceConnection::OnRegisterApp(const device::v1::RegisterApp& request) {
  using device::v1::AppRegistered;
  const device::v1::Subscription& wanted = request.subscription();
  if (request.has_subscription()) {
    // The rest of it the registry judges.
    if (wanted.instance().empty()) {
      return RefuseRegistration(request, AppRegistered::BAD_SUBSCRIPTION);
    }
    if (context_->public_url.empty()) {
      return RefuseRegistration(request, AppRegistered::SUBSCRIPTIONS_OFF);
    }
  } else if (!IsValidAppId(request.app_id())) {
    return RefuseRegistration(request, AppRegistered::BAD_APP_ID);
  }
  if (state_ != ConnectionState::kActive || pending_app_requests_ >= kMaxPendingAppRequests) {
    return RefuseRegistration(request, AppRegistered::UNAVAILABLE);
  }
  ++pending_app_requests_;
  internal::v1::RegisterAppRequest register_app;
  register_app.set_device_id(std::string(device_id_.bytes()));
  if (request.has_subscription()) {
    internal::v1::Subscription* subscription = register_app.mutable_subscription();
    subscription->set_instance(wanted.instance());
    subscription->set_owner(wanted.owner());
    subscription->set_vapid_key(wanted.vapid_key());
    subscription->set_receipts(wanted.receipts());
  } else {
    register_app.set_app_id(request.app_id());
    register_app.set_owner(request.owner());
  }
  host_->RegisterApp(request.request_id(), std::move(register_app));
}

void DeviceConnection::RefuseRegistration(const device::v1::RegisterApp& request,
                                          device::v1::AppRegistered::Outcome outcome) {
  ConnectorFrame frame;
  device::v1::AppRegistered* refused = frame.mutable_app_registered();
  refused->set_request_id(request.request_id());
  refused->set_outcome(outcome);
  refused->set_app_id(request.has_subscription() ? "" : request.app_id());
  refused->set_instance(request.subscription().instance());
  // The longest request has no room for the outcome.
  if (frame.ByteSizeLong() > kMaxFrameBytes) {
    refused->clear_app_id();
    refused->clear_instance();
  }
  Send(frame);
}

void DeviceConnection::OnRemoveApp(const device::v1::RemoveApp& request) {
  // What can't be registered never was.
  if (request.instance().empty() && !IsValidAppId(request.app_id())) {
    return Send(AppRemoved(request.request_id(), true));
  }
  if (state_ != ConnectionState::kActive || pending_app_requests_ >= kMaxPendingAppRequests) {
    return Send(AppRemoved(request.request_id(), false));
  }
  ++pending_app_requests_;
  internal::v1::RemoveAppRequest remove_app;
  remove_app.set_device_id(std::string(device_id_.bytes()));
  if (request.instance().empty()) {
    remove_app.set_app_id(request.app_id());
    remove_app.set_owner(request.owner());
  } else {
    remove_app.set_instance(request.instance());
  }
  remove_app.set_registration_id(request.registration_id());
  host_->RemoveApp(request.request_id(), std::move(remove_app));
}

void DeviceConnection::OnTopicChange(const device::v1::TopicChange& request) {
  using device::v1::TopicChanged;
  if (!IsValidTopicName(request.topic())) {
    return Send(TopicChangedFrame(request.request_id(), TopicChanged::BAD_TOPIC));
  }
  if (request.registration_id() == 0) {
    return Send(TopicChangedFrame(request.request_id(), TopicChanged::UNREGISTERED));
  }
  if (state_ != ConnectionState::kActive || pending_app_requests_ >= kMaxPendingAppRequests) {
    return Send(TopicChangedFrame(request.request_id(), TopicChanged::UNAVAILABLE));
  }
  ++pending_app_requests_;
  internal::v1::ChangeSubscriptionRequest change;
  change.set_device_id(std::string(device_id_.bytes()));
  change.set_registration_id(request.registration_id());
  change.set_topic(request.topic());
  change.set_subscribed(request.subscribed());
  host_->ChangeTopic(request.request_id(), std::move(change));
}

void DeviceConnection::OnAppRegistered(uint32_t request_id, absl::string_view app_id,
                                       absl::string_view instance,
                                       absl::StatusOr<internal::v1::RegisterAppResponse> response) {
  if (!IsBound()) return;
  --pending_app_requests_;
  if (EndIfRevoked(response.status())) return;
  if (ErrorReason(response.status()) == "SESSION_FORGOTTEN") {
    // It was deleted, or the store comes from a backup: a login makes it known again.
    return Overloaded(absl::StrCat("no RegisterApp: ", response.status().message()));
  }
  ConnectorFrame frame;
  device::v1::AppRegistered* registered = frame.mutable_app_registered();
  registered->set_request_id(request_id);
  registered->set_app_id(std::string(app_id));
  registered->set_instance(std::string(instance));
  registered->set_outcome(RegistrationOutcome(response.status()));
  if (response.ok()) {
    registered->set_registration_id(response->registration_id());
    registered->set_token(response->token());
    if (!instance.empty()) {
      registered->set_endpoint(
          absl::StrCat(context_->public_url, kEndpointPath, response->token()));
    }
    registered->set_registrations_tag(response->registrations_tag());
  }
  // After an error nobody knows whether anything changed.
  registrations_tag_ = response.ok() ? response->registrations_tag() : 0;
  Send(frame);
  EndDrainIfDone();
}

void DeviceConnection::OnAppRemoved(
    uint32_t request_id, const absl::StatusOr<internal::v1::RemoveAppResponse>& response) {
  if (!IsBound()) return;
  --pending_app_requests_;
  registrations_tag_ = response.ok() ? response->registrations_tag() : 0;
  Send(AppRemoved(request_id, response.ok(), registrations_tag_));
  EndDrainIfDone();
}

void DeviceConnection::OnTopicChanged(uint32_t request_id, const absl::Status& status) {
  if (!IsBound()) return;
  --pending_app_requests_;
  Send(TopicChangedFrame(request_id, TopicOutcome(status)));
  EndDrainIfDone();
}

}  // namespace bellwire::connector
