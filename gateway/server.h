#ifndef BELLWIRE_GATEWAY_SERVER_H_
#define BELLWIRE_GATEWAY_SERVER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/public_urls.h"
#include "crypto/token_sealer.h"
#include "gateway/doors/console/live_metrics.h"
#include "gateway/topics/fan_out_flags.h"
#include "net/peers/cidr.h"
#include "ops/metrics/samples.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// The provider port, and the ports for the world beside it. Each serves every door: gRPC
// (PushService, the standard health service and server reflection) and those of other people's
// protocols. AdminService is served by the provider port alone, or by a port of its own. A gateway
// keeps no state that outlives a call, so any number of them serve one registry.
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
    // Bearer token of AdminService. Never empty; none: this gateway is not for administrators.
    std::optional<std::string> admin_token;
    // Named administrators (gateway/admin/administrators.h) and the audit log of what they do
    // (gateway/admin/audit_log.h). Empty: there are none, and it is not kept.
    std::string administrators_path;
    std::string audit_path;
    // Where the world reaches the doors: names endpoints, and is the audience of VAPID tokens.
    PublicUrls public_urls;
    // For administrators alone, with the provider port's certificate: "host:port". The provider
    // port serves no AdminService then. Empty: it does.
    std::string admin_listen;
    // For the world, over TLS; "host:port". Empty: none. Its certificate and key are the provider
    // port's unless files are given.
    std::string https_listen;
    std::string https_certificate_path;
    std::string https_key_path;
    // For a proxy on this machine, in clear text: "host:port" with a loopback address, or
    // "unix:PATH". Empty: none.
    std::string http_listen;
    // The console (gateway/doors/console): "host:port" or "unix:PATH". Over TLS as https_listen,
    // with the same files; a loopback address and a socket in clear text. Empty: none.
    std::string console_listen;
    // What the console shows of this process. May be null.
    std::shared_ptr<LiveMetrics> console_metrics;
    // Where the console finds the metrics of the fleet's other programs: at most
    // metrics::kMaxWatchedPrograms.
    std::vector<std::string> console_fleet;
    // Proxies that are believed about their clients (Forwarded, X-Forwarded-For), on every port.
    // With any, so is whoever connects to the Unix socket.
    net::CidrList trusted_proxies;
    // Load balancers whose connections to the ports with TLS begin with a header of the PROXY
    // protocol.
    net::CidrList proxy_protocol_from;
    // Doors that stay shut, by the names of KnownDoors().
    std::vector<std::string> doors_off;
    // How long a drain only tells load balancers, before the ports close.
    absl::Duration drain_notice;
    // Not owned; they outlive the server.
    const TokenSealer* sealer = nullptr;
    MailboxApi* mailboxes = nullptr;
    CatalogueApi* catalogue = nullptr;
    KeysApi* keys = nullptr;
    FeedApi* feeds = nullptr;
    StoreApi* store = nullptr;
    TopicApi* topics = nullptr;
    DeviceApi* devices = nullptr;
    const Clock* clock = nullptr;
    FanOutFlags fan_outs;
    // How often streams look at their credentials. Zero: only when RecheckStreams is called.
    absl::Duration recheck_interval = absl::Milliseconds(500);
  };

  // Listens and serves.
  //   INVALID_ARGUMENT EMPTY_ADMIN_TOKEN · NOT_LOOPBACK: http_listen is open to others ·
  //   UNKNOWN_DOOR, and those of net::ListenTcp, net::UnixListener and ReadTlsKeyPair
  //   (rpc/credentials.h)
  static absl::StatusOr<std::unique_ptr<GatewayServer>> Start(Options options);

  virtual ~GatewayServer() = default;

  // Names of the doors that can be switched off.
  static std::vector<std::string> KnownDoors();

  // "host:port" with the real port.
  virtual const std::string& address() const = 0;
  // The same of the other ports, or "unix:PATH"; empty: there is none.
  virtual const std::string& https_address() const = 0;
  virtual const std::string& http_address() const = 0;
  virtual const std::string& console_address() const = 0;
  virtual const std::string& admin_address() const = 0;
  // Names of the doors that are open.
  virtual std::vector<std::string> open_doors() const = 0;
  // All that its doors serve beside gRPC, at whatever port: "POST /v1/messages"; each once.
  virtual std::vector<std::string> routes() const = 0;
  // Whether the ports' threads still go round, and that of fan-outs, each seen within `patience`;
  // for a watchdog.
  virtual bool Responds(absl::Duration patience) = 0;
  // What it has counted, and how full its bounded places are.
  virtual void Report(metrics::Samples* samples) = 0;

  // Reads the certificate and its key again: who connects afterwards sees the new one. Connections
  // that are open go on. After an error the old one stays. Errors as those of Start.
  virtual absl::Status ReloadCertificate() = 0;
  // The same for https_listen and a console over TLS; OK if there is neither.
  virtual absl::Status ReloadHttpsCertificate() = 0;
  // Whether the registry can store messages: load balancers are told NOT_SERVING, and 503 at
  // /readyz, while it can't. Calls are served all the same. Starts true. Doesn't block.
  virtual void SetStoreOk(bool ok) = 0;
  // Streams whose credential may be worthless by now ask, and end if it is. Doesn't block.
  virtual void RecheckStreams() = 0;
  // From now on this is the bearer token of AdminService.
  //   INVALID_ARGUMENT EMPTY_ADMIN_TOKEN: the old one stays
  virtual absl::Status SetAdminToken(std::string admin_token) = 0;

  // Tells load balancers (health: NOT_SERVING, /readyz: 503), and serves on for
  // Options::drain_notice. Then closes the ports, tells clients to go elsewhere (GOAWAY), lets
  // calls that run finish, and ends send streams after the answers that they are owed. Shortly
  // before `grace` is over ttl-zero Sends stop waiting for their devices, and are answered as the
  // registry says; then what is left is answered SHUTTING_DOWN. Returns when no connection is left,
  // kDrainFlushTime after notice and `grace` at the latest. Once is enough; the destructor does it
  // without either, and waits for what the registry owes.
  virtual void Drain(absl::Duration grace) = 0;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_SERVER_H_
