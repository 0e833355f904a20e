#ifndef BELLWIRE_GATEWAY_SERVER_H_
#define BELLWIRE_GATEWAY_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/public_urls.h"
#include "crypto/token_sealer.h"
#include "rpc/connector_api.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// The provider port: PushService, AdminService, the standard health service and server reflection,
// over TLS. A gateway keeps no state that outlives a call, so any number of them serve one
// registry.
//
// Thread-safe.
class GatewayServer {
 public:
  struct Options {
    // "host:port"; port 0 takes a free one.
    std::string listen;
    // PEM files: the certificate chain shown to providers, and its key.
    std::string certificate_path;
    std::string key_path;
    // Bearer token of AdminService. Never empty.
    std::string admin_token;
    // Where the world reaches the doors: names endpoints, and is the audience of VAPID tokens.
    PublicUrls public_urls;
    // Not owned; they outlive the server.
    const TokenSealer* sealer = nullptr;
    RegistryApi* registry = nullptr;
    ConnectorDirectory* connectors = nullptr;
    const Clock* clock = nullptr;
    // How long a ttl-zero Send waits for the device. Only tests have a reason to change it.
    absl::Duration now_or_never_wait = kNowOrNeverWait;
  };

  // Listens and serves.
  //   INVALID_ARGUMENT EMPTY_ADMIN_TOKEN, and those of net::ListenTcp and ReadTlsKeyPair
  //   (rpc/credentials.h)
  static absl::StatusOr<std::unique_ptr<GatewayServer>> Start(Options options);

  virtual ~GatewayServer() = default;

  // "host:port" with the real port.
  virtual const std::string& address() const = 0;
  // Whether the port's threads still go round, seen within `patience`; for a watchdog.
  virtual bool Responds(absl::Duration patience) = 0;

  // Reads the certificate and its key again: who connects afterwards sees the new one. Connections
  // that are open go on. After an error the old one stays. Errors as those of Start.
  virtual absl::Status ReloadCertificate() = 0;
  // From now on this is the bearer token of AdminService.
  //   INVALID_ARGUMENT EMPTY_ADMIN_TOKEN: the old one stays
  virtual absl::Status SetAdminToken(std::string admin_token) = 0;

  // Tells load balancers (health: NOT_SERVING) and clients (GOAWAY) to go elsewhere, lets calls
  // that run finish, and ends send streams after the answers that they are owed. Shortly before
  // `grace` is over ttl-zero Sends stop waiting for their devices, and are answered as the registry
  // says; then what is left is answered SHUTTING_DOWN. Returns when no connection is left,
  // kDrainFlushTime after `grace` at the latest. Once is enough; the destructor does it without
  // grace, and waits for what the registry owes.
  virtual void Drain(absl::Duration grace) = 0;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_SERVER_H_
