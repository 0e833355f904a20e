#ifndef BELLWIRE_CONNECTOR_SOCKET_CONNECTION_H_
#define BELLWIRE_CONNECTOR_SOCKET_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <string>

#include "connector/connection_host.h"
#include "connector/device_connection.h"
#include "connector/gauge.h"
#include "connector/registry_calls.h"
#include "connector/shard.h"
#include "net/event_loop.h"
#include "net/stream.h"

namespace bellwire::connector {

// Glue: one DeviceConnection, its TLS stream, its timer and its calls of the registry. On the shard's
// thread.
class SocketConnection final : public net::Stream::Delegate, public ConnectionHost {
 public:
  // The shard, as its connections see it.
  class Owner {
   public:
    virtual ~Owner() = default;
    // `connection` is over and gets no more input. Destroys it, after the current callback.
    virtual void Remove(SocketConnection* connection) = 0;
    // Calls core().OnFlush() in this turn of the loop or the next.
    virtual void FlushSoon(uint64_t session_id) = 0;
  };

  // All but the stream outlive the connection.
  SocketConnection(Owner* owner, ShardEnvironment* environment, ConnectionContext* context,
                   RegistryCalls* registry, net::EventLoop* loop, uint64_t session_id,
                   std::unique_ptr<net::Stream> stream);

  DeviceConnection& core() { return core_; }

  // --- net::Stream::Delegate ---
  void OnOpen() override;
  void OnData(absl::string_view data) override { core_.OnData(data); }
  void OnClosed(const absl::Status& status) override { core_.OnTransportClosed(status); }

  // --- ConnectionHost ---
  void Send(absl::string_view frames) override { stream_->Write(frames); }
  size_t unsent_bytes() const override { return stream_->buffered_bytes(); }
  std::string tls_exporter() const override { return stream_->tls_exporter(); }
  std::string resumed_ticket_data() const override { return stream_->resumed_ticket_data(); }
  void SendTicket(absl::string_view data) override { stream_->SendTicket(data); }
  void Close(const CloseRecord& record) override;
  void ArmTimer(MonotonicTime deadline) override;
  void FlushSoon() override { owner_->FlushSoon(core_.session_id()); }
  void SessionStarted(const DeviceId& device_id, uint64_t login_number) override;
  void Bind(internal::v1::BindRequest request) override { registry_->Bind(std::move(request)); }
  void Pull(internal::v1::PullRequest request) override {
    registry_->Pull(core_.session_id(), std::move(request));
  }
  void Ack(internal::v1::AckRequest request) override {
    registry_->Ack(core_.session_id(), std::move(request));
  }
  void AppAck(internal::v1::AppAckRequest request) override {
    registry_->AppAck(core_.session_id(), std::move(request));
  }
  void RegisterApp(uint32_t request_id, internal::v1::RegisterAppRequest request) override {
    registry_->RegisterApp(core_.session_id(), request_id, std::move(request));
  }
  void RemoveApp(uint32_t request_id, internal::v1::RemoveAppRequest request) override {
    registry_->RemoveApp(core_.session_id(), request_id, std::move(request));
  }
  void ReportSent(internal::v1::ReportSentRequest request) override {
    registry_->ReportSent(std::move(request));
  }
  void ReportNetwork(internal::v1::ReportNetworkRequest request) override {
    registry_->ReportNetwork(core_.session_id(), std::move(request));
  }
  void Unbind(internal::v1::UnbindRequest request) override {
    registry_->Unbind(std::move(request));
  }

 private:
  Owner* const owner_;
  ShardEnvironment* const environment_;
  RegistryCalls* const registry_;
  const net::EventLoop* const loop_;
  GaugeShare counted_;
  GaugeShare handshake_counted_;
  const std::unique_ptr<net::Stream> stream_;
  const std::unique_ptr<net::Timer> timer_;
  DeviceConnection core_;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SOCKET_CONNECTION_H_
