#ifndef BELLWIRE_CLI_EMBEDDED_SERVER_H_
#define BELLWIRE_CLI_EMBEDDED_SERVER_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "connector/session/heartbeat_range.h"
#include "connector/shard/server.h"
#include "crypto/token_sealer.h"
#include "gateway/server.h"
#include "ops/certificate_watch.h"
#include "ops/metrics/samples.h"
#include "registry/devices/device_policy.h"
#include "registry/server/privacy_flags.h"
#include "registry/server/server.h"
#include "registry/server/subscription_policy.h"

namespace bellwire::cli {

// Registry, connector and gateway in one process, calling each other directly: what `bellwire
// serve` runs, and what tests of this deployment start. Thread-safe after Start.
class EmbeddedServer {
 public:
  struct Options {
    // Made by InitDataDir (ops/init_data_dir.h).
    std::string data_dir;
    // "host:port"; port 0 takes a free one.
    std::string provider_listen = "[::]:7443";
    std::string device_listen = "[::]:7444";
    // Threads for device connections. 0: one per processor.
    int shards = 0;
    // As of ConnectorServer: with it, agents resume their TLS sessions after a restart. Empty: the
    // data directory's, if it has one.
    std::string ticket_key_path;
    // As of RegistryServer. Empty: no backups are made.
    std::string backup_dir;
    // How the registry keeps what it keeps.
    registry::PrivacyFlags privacy;
    // What agents are told to keep their heartbeat within.
    connector::HeartbeatRange heartbeat_range;
    // What the gateway serves beside the provider port (gateway/http_flags.h). The rest is filled
    // in.
    gateway::GatewayServer::Options gateway;
    // Which subscriptions of devices are taken.
    registry::SubscriptionPolicy subscriptions = registry::SubscriptionPolicy::kVapid;
    // Who may be a device, and how many there may be.
    registry::DevicePolicy devices;
    // Not owned; must outlive the server.
    const Clock* clock = nullptr;
  };

  // Serves from the return on.
  //   FAILED_PRECONDITION NOT_INITIALISED: `bellwire init` did not make the directory; otherwise
  //   the errors of the three parts
  static absl::StatusOr<std::unique_ptr<EmbeddedServer>> Start(const Options& options);

  // Stops at once. What was answered OK is on the disk.
  ~EmbeddedServer();

  // "host:port" with the real ports.
  std::string provider_address() const { return gateway_->address(); }
  std::string device_address() const { return connector_->device_address(); }
  // Of the ports beside the provider port (gateway::HttpAddresses).
  std::vector<std::pair<std::string, std::string>> http_addresses() const;

  // For a watchdog: whether each port still accepts, seen within `patience`.
  bool ProviderPortResponds(absl::Duration patience) { return gateway_->Responds(patience); }
  bool DevicePortResponds(absl::Duration patience) { return connector_->Responds(patience); }
  bool RegistryResponds(absl::Duration patience) { return registry_->Responds(patience); }
  // What all three parts have counted.
  void Report(metrics::Samples* samples);
  // UNAVAILABLE while the store can't be read or written.
  absl::Status StoreStatus() const { return registry_->StoreStatus(); }
  // Reads again what can be: the certificate of both ports, the ticket keys, the admin token. Logs
  // what came of each (LogReload); what can't be read stays as it was.
  void Reload();

  // Lets calls finish and sends the agents away: `time` at most for each of the two. Call it at
  // most once.
  void Drain(absl::Duration time);

 private:
  EmbeddedServer() = default;
  absl::Status StartParts(const Options& options);
  void ReloadAdminToken();

  std::string data_dir_;
  // As the options name it.
  std::string ticket_key_path_;
  std::unique_ptr<TokenSealer> sealer_;
  // In the order in which they need each other: destroyed backwards.
  std::unique_ptr<registry::RegistryServer> registry_;
  std::unique_ptr<connector::ConnectorServer> connector_;
  gateway::GatewayServer::Options gateway_options_;
  std::unique_ptr<gateway::GatewayServer> gateway_;
  std::optional<CertificateWatch> certificates_;
};

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_EMBEDDED_SERVER_H_
