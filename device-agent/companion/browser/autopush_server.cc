#include "device-agent/companion/browser/autopush_server.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "device-agent/companion/browser/socket_owner.h"
#include "openssl/rand.h"

namespace bellwire::companion {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

std::string RandomHex(size_t bytes) {
  std::string random(bytes, '\0');
  // A system without random numbers has no TLS and no agent either.
  if (RAND_bytes(reinterpret_cast<uint8_t*>(random.data()), static_cast<int>(bytes)) != 1) abort();
  return absl::BytesToHexString(random);
}

}  // namespace

AutopushServer::AutopushServer(asio::io_context* io, BrowserDoor door, uid_t uid,
                               SubscriptionHub* hub, const Clock* clock)
    : io_(io),
      door_(std::move(door)),
      uid_(uid),
      clock_(clock),
      refusals_(clock),
      front_(hub, clock, RandomHex),
      acceptor_(*io),
      retry_timer_(*io),
      deadline_timer_(*io) {
  Listen();
}

AutopushServer::~AutopushServer() {
  *alive_ = false;
  for (const auto& connection : connections_) connection->End();
}

void AutopushServer::Listen() {
  const asio::ip::tcp::endpoint endpoint(asio::ip::address_v4::loopback(), door_.port);
  error_code error;
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (!error) {
    LogInfo("browsers_listening", {{"address", door_.host()}});
    return Accept();
  }
  error_code ignored;
  acceptor_.close(ignored);
  if (!std::exchange(said_that_port_is_taken_, true)) {
    LogError("browsers_not_listening",
             {{"address", door_.host()},
              {"error", error.message()},
              {"hint", "another program has the port; it is tried again every 10 s"}});
  }
  retry_timer_.expires_after(absl::ToChronoMilliseconds(kListenRetry));
  retry_timer_.async_wait([this, alive = alive_](error_code error) {
    if (*alive && !error) Listen();
  });
}

void AutopushServer::Accept() {
  acceptor_.async_accept([this, alive = alive_](error_code error, asio::ip::tcp::socket socket) {
    if (!*alive || error == asio::error::operation_aborted) return;
    if (!error) {
      OnAccepted(std::move(socket));
      return Accept();
    }
    // No descriptors: the next one may have better luck.
    retry_timer_.expires_after(std::chrono::seconds(1));
    retry_timer_.async_wait([this, alive](error_code error) {
      if (*alive && !error) Accept();
    });
  });
}

void AutopushServer::OnAccepted(asio::ip::tcp::socket socket) {
  const absl::StatusOr<uid_t> owner = OwnerOfPeer(socket.native_handle());
  if (!owner.ok() || *owner != uid_) {
    return OnRefused(
        owner.ok() ? absl::PermissionDeniedError(absl::StrCat("the connection is of user ", *owner))
                   : owner.status());
  }
  if (connections_.size() >= kMaxBrowserConnections) {
    return OnRefused(absl::ResourceExhaustedError("too many connections of browsers"));
  }
  Connection::Owner* const self = this;
  const auto connection = std::make_shared<Connection>(boost::beast::tcp_stream(std::move(socket)),
                                                       &door_, &front_, self);
  connections_.insert(connection);
  newcomers_.emplace_back(clock_->Monotonic() + kHelloPatience, connection);
  connection->Start();
  ArmDeadline();
}

void AutopushServer::ArmDeadline() {
  std::optional<MonotonicTime> next = front_.NextDeadline();
  while (!newcomers_.empty()) {
    const auto newcomer = newcomers_.front().second.lock();
    if (newcomer != nullptr && !newcomer->is_open()) {
      const MonotonicTime deadline = newcomers_.front().first;
      next = next ? std::min(*next, deadline) : deadline;
      break;
    }
    newcomers_.pop_front();
  }
  if (!next) {
    deadline_timer_.cancel();
    return;
  }
  deadline_timer_.expires_after(
      absl::ToChronoNanoseconds(std::max(absl::ZeroDuration(), *next - clock_->Monotonic())));
  deadline_timer_.async_wait([this, alive = alive_](error_code error) {
    if (!*alive || error) return;
    front_.OnDeadline();
    const MonotonicTime now = clock_->Monotonic();
    while (!newcomers_.empty() && newcomers_.front().first <= now) {
      const auto newcomer = newcomers_.front().second.lock();
      newcomers_.pop_front();
      if (newcomer == nullptr || newcomer->is_open()) continue;
      newcomer->End();
      connections_.erase(newcomer);
    }
    ArmDeadline();
  });
}

void AutopushServer::OnRefused(const absl::Status& why) {
  if (const auto unsaid = refusals_.Take()) {
    LogWarning("browser_refused", {{"why", why.message()}, {"unsaid", *unsaid}});
  }
}

void AutopushServer::OnEnd(Connection* connection) {
  connections_.erase(connection->shared_from_this());
  ArmDeadline();
}

}  // namespace bellwire::companion
