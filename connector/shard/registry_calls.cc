#include "connector/shard/registry_calls.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "common/log.h"

namespace bellwire::connector {

RegistryCalls::RegistryCalls(SessionApi* sessions, NetworkApi* networks, TopicApi* topics,
                             std::shared_ptr<ShardInbox> inbox, Find find,
                             absl::AnyInvocable<void()> on_resumed)
    : sessions_(sessions),
      networks_(networks),
      topics_(topics),
      inbox_(std::move(inbox)),
      find_(std::move(find)),
      on_resumed_(std::move(on_resumed)) {}

template <typename Response, typename Handler>
Done<Response> RegistryCalls::OnThread(Handler handler) {
  ++in_flight_;
  return [this, inbox = inbox_,
          handler = std::move(handler)](absl::StatusOr<Response> response) mutable {
    inbox->AddAnswer(
        [this, handler = std::move(handler), response = std::move(response)]() mutable {
          --in_flight_;
          handler(std::move(response));
        });
  };
}

template <typename Response, typename Handler>
Done<Response> RegistryCalls::OnConnection(uint64_t session_id, Handler handler) {
  return OnThread<Response>(
      [this, session_id, handler = std::move(handler)](absl::StatusOr<Response> response) mutable {
        DeviceConnection* connection = find_(session_id);
        if (connection != nullptr) handler(*connection, std::move(response));
      });
}

void RegistryCalls::Bind(internal::v1::BindRequest request) {
  const std::optional<DeviceId> device_id = DeviceId::FromBytes(request.device_id());
  const internal::v1::Route route = request.route();
  sessions_->Bind(std::move(request), OnThread<internal::v1::BindResponse>(
                                          [this, device_id = device_id.value_or(DeviceId()), route](
                                              absl::StatusOr<internal::v1::BindResponse> response) {
                                            OnBound(device_id, route, std::move(response));
                                          }));
}

void RegistryCalls::OnBound(const DeviceId& device_id, const internal::v1::Route& route,
                            absl::StatusOr<internal::v1::BindResponse> response) {
  DeviceConnection* connection = find_(route.session_id());
  if (connection != nullptr) return connection->OnBound(std::move(response));
  if (!response.ok()) return;
  internal::v1::UnbindRequest unbind;
  unbind.set_device_id(std::string(device_id.bytes()));
  *unbind.mutable_route() = route;
  Unbind(std::move(unbind));
}

void RegistryCalls::Pull(uint64_t session_id, internal::v1::PullRequest request) {
  sessions_->Pull(std::move(request),
                  OnConnection<internal::v1::PullResponse>(
                      session_id, [](DeviceConnection& connection, auto response) {
                        connection.OnPulled(std::move(response));
                      }));
}

void RegistryCalls::Resume(uint64_t session_id, internal::v1::ResumeRequest request) {
  ++resuming_;
  sessions_->Resume(
      std::move(request),
      OnThread<internal::v1::ResumeResponse>(
          [this, session_id](const absl::StatusOr<internal::v1::ResumeResponse>& response) {
            --resuming_;
            if (DeviceConnection* connection = find_(session_id)) connection->OnResumed(response);
            on_resumed_();
          }));
}

void RegistryCalls::HandedOver(internal::v1::HandedOverRequest request) {
  sessions_->HandedOver(
      std::move(request),
      OnThread<internal::v1::HandedOverResponse>(
          [](const absl::StatusOr<internal::v1::HandedOverResponse>& response) {
            // The registry stops waiting by itself.
            if (!response.ok()) {
              LogDebug("handed_over_failed", {{"error", response.status().ToString()}});
            }
          }));
}

void RegistryCalls::Ack(uint64_t session_id, internal::v1::AckRequest request) {
  sessions_->Ack(std::move(request),
                 OnConnection<internal::v1::AckResponse>(
                     session_id, [](DeviceConnection& connection, const auto& response) {
                       connection.OnAckTaken(response.status());
                     }));
}

void RegistryCalls::AppAck(uint64_t session_id, internal::v1::AppAckRequest request) {
  sessions_->AppAck(std::move(request),
                    OnConnection<internal::v1::AppAckResponse>(
                        session_id, [](DeviceConnection& connection, const auto& response) {
                          connection.OnAppAckTaken(response.status());
                        }));
}

void RegistryCalls::RegisterApp(uint64_t session_id, uint32_t request_id,
                                internal::v1::RegisterAppRequest request) {
  const std::string app_id = request.app_id();
  const std::string instance = request.subscription().instance();
  sessions_->RegisterApp(
      std::move(request),
      OnConnection<internal::v1::RegisterAppResponse>(
          session_id, [request_id, app_id, instance](DeviceConnection& connection, auto response) {
            connection.OnAppRegistered(request_id, app_id, instance, std::move(response));
          }));
}

void RegistryCalls::RemoveApp(uint64_t session_id, uint32_t request_id,
                              internal::v1::RemoveAppRequest request) {
  sessions_->RemoveApp(
      std::move(request),
      OnConnection<internal::v1::RemoveAppResponse>(
          session_id, [request_id](DeviceConnection& connection, const auto& response) {
            connection.OnAppRemoved(request_id, response);
          }));
}

void RegistryCalls::ChangeTopic(uint64_t session_id, uint32_t request_id,
                                internal::v1::ChangeSubscriptionRequest request) {
  topics_->ChangeSubscription(
      std::move(request),
      OnConnection<internal::v1::ChangeSubscriptionResponse>(
          session_id, [request_id](DeviceConnection& connection, const auto& response) {
            connection.OnTopicChanged(request_id, response.status());
          }));
}

void RegistryCalls::ReportSent(internal::v1::ReportSentRequest request) {
  sessions_->ReportSent(
      std::move(request),
      OnThread<internal::v1::ReportSentResponse>(
          [](const absl::StatusOr<internal::v1::ReportSentResponse>& response) {
            if (!response.ok()) {
              LogDebug("report_sent_failed", {{"error", response.status().ToString()}});
            }
          }));
}

void RegistryCalls::ReportNetwork(uint64_t session_id, internal::v1::ReportNetworkRequest request) {
  // Without an interval it was a question.
  const bool wants_hint = request.network().interval_ms() == 0;
  networks_->ReportNetwork(
      std::move(request),
      OnConnection<internal::v1::ReportNetworkResponse>(
          session_id, [wants_hint](DeviceConnection& connection, const auto& response) {
            if (!response.ok()) {
              // The device tells it again with its next login.
              LogDebug("report_network_failed", {{"error", response.status().ToString()}});
            } else if (wants_hint) {
              connection.OnNetworkHint(response->hint_interval_ms());
            }
          }));
}

void RegistryCalls::Unbind(internal::v1::UnbindRequest request) {
  sessions_->Unbind(std::move(request),
                    OnThread<internal::v1::UnbindResponse>(
                        [](const absl::StatusOr<internal::v1::UnbindResponse>& response) {
                          // The route points at a session that answers NO_SESSION: harmless.
                          if (!response.ok()) {
                            LogDebug("unbind_failed", {{"error", response.status().ToString()}});
                          }
                        }));
}

}  // namespace bellwire::connector
