#ifndef BELLWIRE_DEVICE_AGENT_CORE_AGENT_H_
#define BELLWIRE_DEVICE_AGENT_CORE_AGENT_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/limits.h"
#include "ops/metrics/samples.h"

namespace bellwire::agent {

// What an agent is told by its command line.
struct AgentOptions {
  // Connectors, "host:port", tried in turn. At least one.
  std::vector<std::string> servers;
  // How the server proves itself; exactly one of the two. A PEM file of certificate authorities …
  std::string ca_path;
  // … or the SHA-256 of the server's public key (SubjectPublicKeyInfo, DER) in hex.
  std::string pin_sha256_hex;
  // The name that the server's certificate must carry. Default: the host of the address dialled.
  std::string server_name;
  // Holds device.key, inbox.db and what was learned about networks, networks.state; made (0700) if
  // it is not there. Required.
  std::string state_dir;
  // Lets this phone in at a server that takes enrolled devices only; shown until the first login
  // that the server takes, and never again. Empty: none.
  std::string enrolment_token;
  // The same by a certificate: a PEM file. Empty: none. Not both.
  std::string device_certificate_path;
  // Where apps connect. Required. A stale socket file is replaced.
  std::string socket_path;
  // Who may connect; whom a connection may speak for is decided by its SO_PEERCRED, not by this.
  mode_t socket_mode = 0666;
  // Who may use which app id (app_policy.h). Empty: everybody may use every one.
  std::string policy_path;
  // A program that starts an app which is not running and has messages (hook_runner.h). Empty: apps
  // are not started, and get their messages when they connect.
  std::string start_app_hook;
  // How long the connection may be silent before a heartbeat; kept within the server's bounds.
  // Default: learned, network by network (docs/internals/heartbeat.md).
  std::optional<absl::Duration> heartbeat_interval;
  // Whether the server is told, without naming it, how long silence a network allows, and asked
  // what others learned there.
  bool share_networks = true;
  // Called on the agent's thread at least so often while it is well: `WATCHDOG=1`. It goes along
  // with wakes that happen anyway, and needs one of its own only if there is none within half of
  // the time. Infinite: never.
  absl::Duration watchdog_interval = absl::InfiniteDuration();
  std::function<void()> watchdog;
  // The longest wait between two attempts to reach a server. The default spares a server that comes
  // back to a million phones; a few devices may be more eager. Positive.
  absl::Duration reconnect_max = kReconnectMax;
};

// The agent of one device: one connection to the server for all apps of the phone, its inbox on
// disk, and the local socket that apps connect to. Everything runs on the thread that calls Run().
class Agent {
 public:
  // Opens the state directory, takes its lock, and listens on the socket; the server need not be
  // reachable. Fails with
  //   INVALID_ARGUMENT     an option is missing or malformed, or the policy is (BAD_POLICY)
  //   NOT_FOUND            there is no such policy file
  //   FAILED_PRECONDITION  another agent runs on this state directory (STATE_DIRECTORY_IN_USE) or
  //   this
  //                        socket (SOCKET_IN_USE); device.key is damaged or readable by others;
  //                        others can write the policy (POLICY_NOT_PRIVATE)
  //   DATA_LOSS            DATABASE_DAMAGED: inbox.db is damaged; the message says what to do
  //   UNAVAILABLE          the file system refuses
  static absl::StatusOr<std::unique_ptr<Agent>> Start(const AgentOptions& options);

  // Closes every connection; REQUIRES: Run() is not running.
  virtual ~Agent() = default;

  // Serves until Stop(). Call it once.
  virtual void Run() = 0;
  // Makes Run() return soon; nothing acknowledged is lost. Thread-safe.
  virtual void Stop() = 0;

  // Reads the file of authorities again, for the next connection to a server, and the policy; logs
  // what came of it. The connection to the server goes on, and so do those of apps that the policy
  // still allows. A file that is no good changes nothing. Thread-safe.
  virtual void Reload() = 0;

  // What it has counted. Asks the agent's thread while Run() is running, and adds nothing if that
  // does not answer within a second. Thread-safe.
  virtual void Report(metrics::Samples* samples) = 0;

  // As bound; apps connect here.
  virtual const std::string& socket_path() const = 0;
  // Lower-case hex.
  virtual const std::string& device_id() const = 0;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_CORE_AGENT_H_
