#include "connector/socket_connection.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/log.h"

namespace bellwire::connector {

SocketConnection::SocketConnection(Owner* owner, ShardEnvironment* environment,
                                   ConnectionContext* context, RegistryCalls* registry,
                                   net::EventLoop* loop, uint64_t session_id,
                                   std::unique_ptr<net::Stream> stream)
    : owner_(owner),
      environment_(environment),
      registry_(registry),
      loop_(loop),
      counted_(&environment->connections, 1),
      handshake_counted_(&environment->handshakes, 1),
      stream_(std::move(stream)),
      timer_(loop->NewTimer([this] { core_.OnTimer(); })),
      core_(context, session_id, this) {
  stream_->SetDelegate(this);
}

void SocketConnection::OnOpen() {
  handshake_counted_.Set(0);
  core_.OnOpen();
}

void SocketConnection::ArmTimer(MonotonicTime deadline) {
  timer_->Arm(std::max(absl::ZeroDuration(), deadline - loop_->clock().Monotonic()));
}

void SocketConnection::SessionStarted(const DeviceId& device_id, uint64_t login_number) {
  LogInfo("session_started", {{"device", ToHex(device_id)},
                              {"session", core_.session_id()},
                              {"login", login_number},
                              {"peer", stream_->peer_name()}});
  const std::optional<uint64_t> loser =
      environment_->devices.Claim(device_id, core_.session_id(), login_number);
  if (!loser.has_value() || *loser == core_.session_id()) return;
  internal::v1::Route route;
  route.set_connector_address(environment_->connector_address);
  route.set_connector_incarnation(environment_->connector_incarnation);
  route.set_session_id(*loser);
  environment_->evictor->Evict(route, device_id, login_number);
}

void SocketConnection::Close(const CloseRecord& record) {
  const bool had_session = !core_.device_id().is_zero();
  LogInfo("connection_closed", {{"peer", stream_->peer_name()},
                                {"device", had_session ? ToHex(core_.device_id()) : ""},
                                {"session", core_.session_id()},
                                {"state", Name(record.state)},
                                {"reason", Name(record.reason)},
                                {"detail", record.detail}});
  if (had_session) environment_->devices.Release(core_.device_id(), core_.session_id());
  timer_->Cancel();
  stream_->Close();
  owner_->Remove(this);
}

}  // namespace bellwire::connector
