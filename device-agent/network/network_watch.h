#ifndef BELLWIRE_DEVICE_AGENT_NETWORK_NETWORK_WATCH_H_
#define BELLWIRE_DEVICE_AGENT_NETWORK_NETWORK_WATCH_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "device-agent/network/network_monitor.h"
#include "net/loop/epoll_loop.h"

namespace bellwire::agent {

// The sockets of a NetworkMonitor: listens to rtnetlink(7), which needs no privilege, and asks the
// kernel for all facts when a change has settled. It wakes nobody while nothing changes.
// Single-threaded; destroyed in any callback but its own.
class NetworkWatch {
 public:
  // `on_change` comes from the loop, once for each settled change. UNAVAILABLE NO_NETLINK: this
  // kernel or sandbox has none.
  static absl::StatusOr<std::unique_ptr<NetworkWatch>> Start(net::EpollLoop* loop,
                                                             absl::AnyInvocable<void()> on_change);
  ~NetworkWatch();
  NetworkWatch(const NetworkWatch&) = delete;
  NetworkWatch& operator=(const NetworkWatch&) = delete;

  const NetworkMonitor& monitor() const { return monitor_; }

 private:
  NetworkWatch(net::EpollLoop* loop, int fd, NetworkFacts facts,
               absl::AnyInvocable<void()> on_change);

  void OnReady();
  void OnTimer();
  void ArmTimer();

  net::EpollLoop* const loop_;
  const int fd_;
  NetworkMonitor monitor_;
  absl::AnyInvocable<void()> on_change_;
  net::FdWatch watch_;
  const std::unique_ptr<net::Timer> timer_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_NETWORK_NETWORK_WATCH_H_
