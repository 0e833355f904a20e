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

// A phone behind a router that translates addresses (NAT), and a server:
//
//   phone: 192.0.2.7 wlan0 ─── lan 192.0.2.1 : router : wan 198.51.100.254 ─── internet
//   198.51.100.1: us
//
// The router forgets a connection that was silent for `nat_timeout` and says so to nobody: neither
// side hears a reset.
class NatWorld {
 public:
  // REQUIRES: EnterServerNamespace was OK; one world at a time.
  static absl::StatusOr<std::unique_ptr<NatWorld>> New(absl::Duration nat_timeout);
  ~NatWorld();

  static constexpr char kServerHost[] = "198.51.100.1";

  const NetworkNamespace& phone() const { return *phone_; }
  // The router forgets every connection now (a reboot, a table that overflowed).
  absl::Status ForgetMappings();
  // The router drops everything, both ways, and stops doing so.
  absl::Status BecomeBlackHole();
  absl::Status Recover();
  // The phone leaves the address `from` and takes `to`, as after a new DHCP lease.
  absl::Status ChangeAddress(const std::string& from, const std::string& to);
  absl::Status LinkDown();
  // With the default route, which the kernel had taken away.
  absl::Status LinkUp();

 private:
  NatWorld() = default;

  std::unique_ptr<NetworkNamespace> router_;
  std::unique_ptr<NetworkNamespace> phone_;
};

}  // namespace bellwire::tests

#endif  // BELLWIRE_TESTS_NAT_NAT_WORLD_H_
