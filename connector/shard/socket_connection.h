#ifndef BELLWIRE_CONNECTOR_SHARD_SOCKET_CONNECTION_H_
#define BELLWIRE_CONNECTOR_SHARD_SOCKET_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <string>

#include "connector/doors/bellwire/connection_host.h"
#include "connector/doors/bellwire/device_connection.h"
#include "connector/session/gauge.h"
#include "connector/shard/connection_log.h"
#include "connector/shard/login_admission.h"
#include "connector/shard/registry_calls.h"
#include "connector/shard/shard.h"
#include "net/loop/event_loop.h"
#include "net/socket/stream.h"
#include "net/tls/tls_server.h"

namespace bellwire::connector {

// Glue: one DeviceConnection, its TLS stream, its timer and its calls of the registry. On the
// shard's thread.
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

  // What the connections of one shard share; outlives them, as does all that it names.
  struct Shared {
    Owner* owner;
    ShardEnvironment* environment;
    ConnectionContext* context;
    RegistryCalls* registry;
    LoginAdmission* logins;
    net::EventLoop* loop;
    // Null: everything is logged.
    ConnectionLog* log = nullptr;
  };

  SocketConnection(const Shared* shared, uint64_t session_id, std::unique_ptr<net::Stream> stream,
                   const net::Arrival& arrival = {});

  DeviceConnection& core() { return core_; }

  // --- net::Stream::Delegate ---
  void OnOpen() override;
  void OnData(absl::string_view data) override { core_.OnData(data); }
  void OnClosed(const absl::Status& status) override { core_.OnTransportClosed(status); }

  // --- ConnectionHost ---
  void Send(absl::string_view frames) override { stream_->Write(frames); }
  void PauseReading() override { stream_->PauseReading(); }
  void ResumeReading() override { stream_->ResumeReading(); }
  size_t unsent_bytes() const override { return stream_->buffered_bytes(); }
  std::string tls_exporter() const override { return stream_->tls_exporter(); }
  std::string resumed_ticket_data() const override { return stream_->resumed_ticket_data(); }
  void SendTicket(absl::string_view data) override { stream_->SendTicket(data); }
  void Close(const CloseRecord& record) override;
  void ArmTimer(MonotonicTime deadline) override;
  void FlushSoon() override { shared_->owner->FlushSoon(core_.session_id()); }
  void SessionStarted(const DeviceId& device_id, uint64_t login_number) override;
  void Bind(internal::v1::BindRequest request) override;
  void Pull(internal::v1::PullRequest request) override {
    shared_->registry->Pull(core_.session_id(), std::move(request));
  }
  void Resume(internal::v1::ResumeRequest request) override {
    shared_->registry->Resume(core_.session_id(), std::move(request));
  }
  void Ack(internal::v1::AckRequest request) override {
    shared_->registry->Ack(core_.session_id(), std::move(request));
  }
  void AppAck(internal::v1::AppAckRequest request) override {
    shared_->registry->AppAck(core_.session_id(), std::move(request));
  }
  void RegisterApp(uint32_t request_id, internal::v1::RegisterAppRequest request) override {
    shared_->registry->RegisterApp(core_.session_id(), request_id, std::move(request));
  }
  void RemoveApp(uint32_t request_id, internal::v1::RemoveAppRequest request) override {
    shared_->registry->RemoveApp(core_.session_id(), request_id, std::move(request));
  }
  void ChangeTopic(uint32_t request_id,
                   internal::v1::ChangeSubscriptionRequest request) override {
    shared_->registry->ChangeTopic(core_.session_id(), request_id, std::move(request));
  }
  void ReportSent(internal::v1::ReportSentRequest request) override {
    shared_->registry->ReportSent(std::move(request));
  }
  void HandedOver(internal::v1::HandedOverRequest request) override {
    shared_->registry->HandedOver(std::move(request));
  }
  void ReportNetwork(internal::v1::ReportNetworkRequest request) override {
    shared_->registry->ReportNetwork(core_.session_id(), std::move(request));
  }
  void Unbind(internal::v1::UnbindRequest request) override {
    shared_->registry->Unbind(std::move(request));
  }

 private:
  const Shared* const shared_;
  GaugeUnit counted_;
  // Until the session begins.
  struct Login {
    GaugeUnit counted;
    LoginAdmission::Login admitted;
    // As BindRequest.peer.
    net::PeerKey address;
  };
  std::unique_ptr<Login> login_;
  const std::unique_ptr<net::Stream> stream_;
  const std::unique_ptr<net::Timer> timer_;
  DeviceConnection core_;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SHARD_SOCKET_CONNECTION_H_
