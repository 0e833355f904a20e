#ifndef BELLWIRE_DEVICE_AGENT_NETWORK_NETWORK_MONITOR_H_
#define BELLWIRE_DEVICE_AGENT_NETWORK_NETWORK_MONITOR_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "common/clock.h"
#include "device-agent/network/network_facts.h"
#include "device-agent/network/rtnetlink.h"

namespace bellwire::agent {

// On what a connection from one of our addresses stands. Two that are equal: nothing happened to
// it.
struct NetworkPath {
  // Where the address is, how often that interface lost its link, and whether it has one now.
  int interface = 0;
  uint64_t link_losses = 0;
  bool link_up = false;
  // The best default route of the address's family, if there is one, and how often there was none.
  bool has_route = false;
  int route_interface = 0;
  std::string gateway;
  uint64_t route_losses = 0;

  friend bool operator==(const NetworkPath&, const NetworkPath&) = default;
};

// Whether a connection that was opened on `before` had better be opened anew, now that it is `now`
// (nullopt: its address is gone): because nothing can come back to it, because it hangs on a
// network that was left and may have been exchanged, or because there is a better one. Never if a
// new one could not be opened either.
bool MustReconnect(const NetworkPath& before, const std::optional<NetworkPath>& now);

// Says when the network has changed: makes one settled change of the burst of messages that the
// kernel sends when a phone moves from one network to the next, and none of those that repeat what
// is known.
//
// Messages only tell when to look: the kernel takes away routes without a word. So its owner asks
// the kernel for all facts once a change is settled. Pure; thread-compatible.
class NetworkMonitor {
 public:
  // `clock` must outlive it. It begins with the facts of the moment.
  NetworkMonitor(const Clock* clock, NetworkFacts facts);

  void OnNews(const NetworkNews& news);
  // Messages were lost: anything may have changed.
  void OnOverrun() { Touch(); }
  // When to call Settle (Clock::Monotonic); nullopt: nothing is under way.
  std::optional<MonotonicTime> deadline() const;
  // The deadline is reached, and this is how it is now. True: not as it was when it was settled
  // last.
  bool Settle(NetworkFacts facts);

  // As of the last settled change. nullopt: the phone has no such address.
  std::optional<NetworkPath> PathOf(const std::string& local_host) const;
  // Whether any interface but the loopback has a link and an address.
  bool online() const;
  const NetworkFacts& facts() const { return settled_; }

 private:
  void Touch();

  const Clock* const clock_;
  NetworkFacts settled_;
  // With the news since.
  NetworkFacts latest_;
  std::optional<MonotonicTime> first_touch_;
  MonotonicTime last_touch_;
  // Since the last settled change.
  bool link_lost_ = false;
  // By interface, and by family.
  std::map<int, uint64_t> link_losses_;
  std::map<int, uint64_t> route_losses_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_NETWORK_NETWORK_MONITOR_H_
