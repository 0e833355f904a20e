#ifndef BELLWIRE_TESTS_NAT_NAT_WORLD_H_
#define BELLWIRE_TESTS_NAT_NAT_WORLD_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace bellwire::tests {

// A network namespace that lives as long as this object: a process that does nothing holds it.
class NetworkNamespace {
 public:
  // REQUIRES: EnterServerNamespace was OK.
  static absl::StatusOr<std::unique_ptr<NetworkNamespace>> New();
  ~NetworkNamespace();

  pid_t holder() const { return holder_; }
  // What a program is started through to run in it.
  std::vector<std::string> Launcher() const;
  // Runs a shell command in it; an error holds what the command said.
  absl::Status Run(const std::string& command) const;

 private:
  explicit NetworkNamespace(pid_t holder) : holder_(holder) {}
  const pid_t holder_;
};

// Moves this process into a network namespace of its own, where the servers of the test will run.
// Before any thread is started. An error says which privilege or tool is missing.
absl::Status EnterServerNamespace();

// What the world speaks; nothing else is configured in it.
enum class Ip { kV4, kV6 };

// A phone behind a router, and a server:
//
//   phone                 router                                  internet
//   192.0.2.7      wlan0 ─ lan 192.0.2.1      wan 198.51.100.254   ─ 198.51.100.1: us
//   2001:db8:1::7  wlan0 ─ lan 2001:db8:1::1  wan 2001:db8:2::254  ─ 2001:db8:2::1: us
//
// With IPv4 the router translates addresses (NAT). With IPv6 it is a firewall that lets in what
// belongs to a connection from inside, as home routers and carriers have. Either way the router
// forgets a connection that was silent for `nat_timeout` and says so to nobody: neither
// side hears a reset.
class NatWorld {
 public:
  // REQUIRES: EnterServerNamespace was OK; one world at a time.
  static absl::StatusOr<std::unique_ptr<NatWorld>> New(Ip ip, absl::Duration nat_timeout);
  ~NatWorld();

  // As in "host:port".
  static std::string ServerHost(Ip ip);

  const NetworkNamespace& phone() const { return *phone_; }
  // The router forgets every connection now (a reboot, a table that overflowed).
  absl::Status ForgetMappings();
  // The router drops everything, both ways, and stops doing so.
  absl::Status BecomeBlackHole();
  absl::Status Recover();
  // The phone leaves its address and takes another, as after a new DHCP lease.
  absl::Status ChangeAddress();
  absl::Status LinkDown();
  // With what the kernel had taken away: the default route, and IPv6's address.
  absl::Status LinkUp();

 private:
  explicit NatWorld(Ip ip) : ip_(ip) {}
  // A command for nft, in the tables of this world's family.
  absl::Status Nft(const std::string& commands) const;
  // Shell commands that give the phone this address and the way out.
  std::string Settle(const std::string& address) const;

  const Ip ip_;
  std::unique_ptr<NetworkNamespace> router_;
  std::unique_ptr<NetworkNamespace> phone_;
};

}  // namespace bellwire::tests

#endif  // BELLWIRE_TESTS_NAT_NAT_WORLD_H_
