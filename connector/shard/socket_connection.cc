#include "connector/shard/socket_connection.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/log.h"

namespace bellwire::connector {

SocketConnection::SocketConnection(const Shared* shared, uint64_t session_id,
                                   std::unique_ptr<net::Stream> stream, const net::Arrival& arrival)
    : shared_(shared),
      counted_(&shared->environment->connections),
      login_(new Login{GaugeUnit(&shared->environment->logins),
                       LoginAdmission::Login(shared->logins, session_id, arrival.peer,
                                             shared->loop->clock().Monotonic()),
                       arrival.address}),
      stream_(std::move(stream)),
      timer_(shared->loop->NewTimer([this] { core_.OnTimer(); })),
      core_(shared->context, session_id, this, arrival.silent_for) {
  stream_->SetDelegate(this);
}

void SocketConnection::OnOpen() {
  shared_->environment->counters.OnHandshake(!stream_->resumed_ticket_data().empty());
  login_->admitted.AwaitLogin(shared_->loop->clock().Monotonic());
  core_.OnOpen();
}

void SocketConnection::ArmTimer(MonotonicTime deadline) {
  timer_->Arm(std::max(absl::ZeroDuration(), deadline - shared_->loop->clock().Monotonic()));
}

void SocketConnection::Bind(internal::v1::BindRequest request) {
  login_->admitted.AwaitRegistry(shared_->loop->clock().Monotonic());
  request.set_peer(std::string(login_->address.address_bytes()));
  shared_->registry->Bind(std::move(request));
}

void SocketConnection::SessionStarted(const DeviceId& device_id, uint64_t login_number) {
  login_.reset();
  shared_->environment->counters.OnSession();
  if (shared_->log == nullptr || shared_->log->MayTellOfSession(ConnectionLog::kSessionStarted)) {
    LogInfo("session_started", {{"device", ToHex(device_id)},
                                {"session", core_.session_id()},
                                {"login", login_number},
                                {"peer", stream_->peer_name()}});
  }
  ShardEnvironment* const environment = shared_->environment;
  const std::optional<uint64_t> loser =
      environment->devices.Claim(device_id, core_.session_id(), login_number);
  if (!loser.has_value() || *loser == core_.session_id()) return;
  environment->service->Evict(*loser, device_id, login_number);
}

void SocketConnection::Close(const CloseRecord& record) {
  const bool had_session = !core_.device_id().is_zero();
  const absl::string_view reason = Name(record.reason);
  const bool was_welcome = login_ == nullptr;
  shared_->environment->counters.OnClosed(record.state, record.reason, was_welcome);
  if (shared_->log == nullptr || (was_welcome ? shared_->log->MayTellOfSession(reason)
                                              : shared_->log->MayTellOfStranger(reason))) {
    LogInfo("connection_closed", {{"peer", stream_->peer_name()},
                                  {"device", had_session ? ToHex(core_.device_id()) : ""},
                                  {"session", core_.session_id()},
                                  {"state", Name(record.state)},
                                  {"reason", reason},
                                  {"detail", record.detail}});
  }
  if (had_session) shared_->environment->devices.Release(core_.device_id(), core_.session_id());
  login_.reset();
  timer_->Cancel();
  stream_->Close();
  shared_->owner->Remove(this);
}

}  // namespace bellwire::connector
