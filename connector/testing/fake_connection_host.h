#ifndef BELLWIRE_CONNECTOR_TESTING_FAKE_CONNECTION_HOST_H_
#define BELLWIRE_CONNECTOR_TESTING_FAKE_CONNECTION_HOST_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bellwire/device/v1/device.pb.h"
#include "connector/doors/bellwire/connection_host.h"
#include "net/socket/frame_codec.h"

namespace bellwire::connector {

// Writes down what a connection does. Tests read and clear the fields.
class FakeConnectionHost final : public ConnectionHost {
 public:
  // What the agent received, in order; heartbeats are counted beside.
  std::vector<device::v1::ConnectorFrame> frames;
  int heartbeats = 0;
  std::vector<std::string> tickets;
  std::optional<CloseRecord> closed;
  std::optional<MonotonicTime> timer;
  bool flush_asked = false;
  std::optional<std::pair<DeviceId, uint64_t>> session_started;

  std::vector<internal::v1::BindRequest> binds;
  std::vector<internal::v1::PullRequest> pulls;
  std::vector<internal::v1::ResumeRequest> resumes;
  std::vector<internal::v1::HandedOverRequest> outcomes;
  std::vector<internal::v1::AckRequest> acks;
  std::vector<internal::v1::AppAckRequest> app_acks;
  std::vector<std::pair<uint32_t, internal::v1::RegisterAppRequest>> registrations;
  std::vector<std::pair<uint32_t, internal::v1::RemoveAppRequest>> removals;
  std::vector<std::pair<uint32_t, internal::v1::ChangeSubscriptionRequest>> topic_changes;
  std::vector<internal::v1::ReportSentRequest> reports;
  std::vector<internal::v1::ReportNetworkRequest> network_reports;
  std::vector<internal::v1::UnbindRequest> unbinds;

  // What the transport says.
  std::string exporter;
  std::string ticket_data;
  size_t unsent = 0;

  void Send(absl::string_view bytes) override {
    const absl::Status framing = decoder_.Feed(bytes, [this](absl::string_view body) {
      if (body.empty()) {
        ++heartbeats;
      } else {
        frames.emplace_back().ParseFromArray(body.data(), static_cast<int>(body.size()));
      }
      return true;
    });
    if (!framing.ok() || decoder_.buffered_bytes() != 0) broken_framing = true;
  }
  // Whether something that isn't whole frames was sent.
  bool broken_framing = false;

  // Whether the device is not read from.
  bool paused = false;
  void PauseReading() override { paused = true; }
  void ResumeReading() override { paused = false; }

  size_t unsent_bytes() const override { return unsent; }
  std::string tls_exporter() const override { return exporter; }
  std::string resumed_ticket_data() const override { return ticket_data; }
  void SendTicket(absl::string_view data) override { tickets.emplace_back(data); }
  void Close(const CloseRecord& record) override { closed = record; }
  void ArmTimer(MonotonicTime deadline) override { timer = deadline; }
  void FlushSoon() override { flush_asked = true; }
  void SessionStarted(const DeviceId& device_id, uint64_t login_number) override {
    session_started.emplace(device_id, login_number);
  }
  void Bind(internal::v1::BindRequest request) override { binds.push_back(std::move(request)); }
  void Pull(internal::v1::PullRequest request) override { pulls.push_back(std::move(request)); }
  void Resume(internal::v1::ResumeRequest request) override {
    resumes.push_back(std::move(request));
  }
  void HandedOver(internal::v1::HandedOverRequest request) override {
    outcomes.push_back(std::move(request));
  }
  void Ack(internal::v1::AckRequest request) override { acks.push_back(std::move(request)); }
  void AppAck(internal::v1::AppAckRequest request) override {
    app_acks.push_back(std::move(request));
  }
  void RegisterApp(uint32_t request_id, internal::v1::RegisterAppRequest request) override {
    registrations.emplace_back(request_id, std::move(request));
  }
  void RemoveApp(uint32_t request_id, internal::v1::RemoveAppRequest request) override {
    removals.emplace_back(request_id, std::move(request));
  }
  void ChangeTopic(uint32_t request_id,
                   internal::v1::ChangeSubscriptionRequest request) override {
    topic_changes.emplace_back(request_id, std::move(request));
  }
  void ReportSent(internal::v1::ReportSentRequest request) override {
    reports.push_back(std::move(request));
  }
  void ReportNetwork(internal::v1::ReportNetworkRequest request) override {
    network_reports.push_back(std::move(request));
  }
  void Unbind(internal::v1::UnbindRequest request) override {
    unbinds.push_back(std::move(request));
  }

 private:
  net::FrameDecoder decoder_{kMaxFrameBytes};
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_TESTING_FAKE_CONNECTION_HOST_H_
