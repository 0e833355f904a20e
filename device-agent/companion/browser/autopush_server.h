#ifndef BELLWIRE_DEVICE_AGENT_COMPANION_BROWSER_AUTOPUSH_SERVER_H_
#define BELLWIRE_DEVICE_AGENT_COMPANION_BROWSER_AUTOPUSH_SERVER_H_

#include <sys/types.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "boost/asio/io_context.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/steady_timer.hpp"
#include "boost/beast/core/tcp_stream.hpp"
#include "common/clock.h"
#include "common/log_limit.h"
#include "device-agent/companion/browser/autopush_connection.h"
#include "device-agent/companion/browser/autopush_front.h"
#include "device-agent/companion/browser/browser_door.h"
#include "device-agent/companion/subscription_hub.h"

namespace bellwire::companion {

// Connections at a time, of all browsers of one user. One browser has one.
inline constexpr size_t kMaxBrowserConnections = 64;
// Where the port is taken, it is tried again after this time.
inline constexpr absl::Duration kListenRetry = absl::Seconds(10);

// The user's browsers at their door: listens on 127.0.0.1, takes connections of this user only
// (socket_owner.h), and lets the front speak with them. On the thread of `io`.
class AutopushServer final : private AutopushConnection<boost::beast::tcp_stream>::Owner {
 public:
  // Listens at once, or as soon as the port is free: the log says so. `uid` is the user whose
  // connections are taken. `io`, `hub` and `clock` outlive the server.
  AutopushServer(boost::asio::io_context* io, BrowserDoor door, uid_t uid, SubscriptionHub* hub,
                 const Clock* clock);
  // Closes all connections.
  ~AutopushServer() override;
  AutopushServer(const AutopushServer&) = delete;
  AutopushServer& operator=(const AutopushServer&) = delete;

  const BrowserDoor& door() const { return door_; }
  bool is_listening() const { return acceptor_.is_open(); }
  size_t connections() const { return connections_.size(); }

 private:
  using Connection = AutopushConnection<boost::beast::tcp_stream>;

  void Listen();
  void Accept();
  void OnAccepted(boost::asio::ip::tcp::socket socket);
  void ArmDeadline();

  void OnRefused(const absl::Status& why) override;
  void OnTurn() override { ArmDeadline(); }
  void OnEnd(Connection* connection) override;

  boost::asio::io_context* const io_;
  const BrowserDoor door_;
  const uid_t uid_;
  const Clock* const clock_;
  LogLimit refusals_;
  AutopushFront front_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer retry_timer_;
  boost::asio::steady_timer deadline_timer_;
  bool said_that_port_is_taken_ = false;
  std::unordered_set<std::shared_ptr<Connection>> connections_;
  // Those that are no WebSocket in time are ended: by when they came, the oldest first.
  std::deque<std::pair<MonotonicTime, std::weak_ptr<Connection>>> newcomers_;
  // What callbacks of Asio look at before they touch this object.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace bellwire::companion

#endif  // BELLWIRE_DEVICE_AGENT_COMPANION_BROWSER_AUTOPUSH_SERVER_H_
