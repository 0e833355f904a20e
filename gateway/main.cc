// bellwire-gateway: the provider port as a process of its own.

#include <unistd.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "crypto/file_util.h"
#include "crypto/token_sealer.h"
#include "gateway/doors/console/live_metrics.h"
#include "gateway/http_flags.h"
#include "gateway/server.h"
#include "gateway/topics/fan_out_flags.h"
#include "ops/certificate_watch.h"
#include "ops/data_dir.h"
#include "ops/main_support.h"
#include "ops/metrics/daemon_metrics.h"
#include "ops/watchdog.h"
#include "rpc/credentials.h"
#include "rpc/grpc_registry_client.h"
#include "rpc/health_watch.h"
#include "rpc/registry_router.h"

namespace bellwire::gateway {
namespace {

struct Flags : DaemonFlags {
  HttpFlags http;
  metrics::MetricsFlags metrics_flags;
  FanOutFlags fan_outs;
  std::string data_dir;
  std::string listen = "[::]:7443";
  std::string registry_address;
  int drain_seconds = static_cast<int>(absl::ToInt64Seconds(kGatewayDrainGrace));
};

std::vector<Watchdog::Listener> ListenersOf(GatewayServer& server) {
  std::vector<Watchdog::Listener> listeners;
  listeners.push_back({.name = "provider_port", .responds = [&server](absl::Duration patience) {
                         return server.Responds(patience);
                       }});
  return listeners;
}

absl::Status Run(const Flags& flags) {
  BELLWIRE_RETURN_IF_ERROR(PrepareServer(flags));
  const DataDir data_dir(flags.data_dir);
  BELLWIRE_RETURN_IF_ERROR(CheckInitialised(data_dir, Role::kGateway));
  // A gateway that is not for administrators has none.
  std::optional<std::string> admin_token;
  if (access(data_dir.admin_token().c_str(), F_OK) == 0) {
    BELLWIRE_ASSIGN_OR_RETURN(admin_token, ReadPrivateFile(data_dir.admin_token()));
    absl::StripAsciiWhitespace(&*admin_token);
  }
  BELLWIRE_ASSIGN_OR_RETURN(const std::unique_ptr<TokenSealer> sealer,
                            TokenSealer::FromFile(data_dir.token_keys()));
  BELLWIRE_ASSIGN_OR_RETURN(const auto credentials,
                            InternalChannelCredentials(data_dir.internal()));

  // Destroyed in reverse: the server first, which uses it.
  const std::shared_ptr<grpc::Channel> registry_channel =
      NewInternalChannel(flags.registry_address, credentials, Role::kRegistry);
  const std::unique_ptr<RegistryRouter> registry = RegistryRouter::New(
      {.connect =
           [&](const std::string& address) {
             return RegistryRouter::Client{
                 .unary = NewGrpcRegistryClient(
                     address.empty() ? registry_channel
                                     : NewInternalChannel(address, credentials, Role::kRegistry)),
                 .sessions = nullptr};
           },
       .clock = RealClock()});

  GatewayServer::Options options;
  options.listen = flags.listen;
  options.certificate_path = data_dir.server_certificate();
  options.key_path = data_dir.server_key();
  options.admin_token = admin_token;
  options.administrators_path = data_dir.administrators();
  options.audit_path = data_dir.audit_log();
  BELLWIRE_RETURN_IF_ERROR(ApplyHttpFlags(flags.http, &options));
  options.sealer = sealer.get();
  options.mailboxes = registry.get();
  options.catalogue = registry.get();
  options.keys = registry.get();
  options.feeds = registry.get();
  options.store = registry.get();
  options.topics = registry.get();
  options.devices = registry.get();
  options.clock = RealClock();
  const auto console_metrics = std::make_shared<LiveMetrics>();
  options.console_metrics = console_metrics;
  options.fan_outs = flags.fan_outs;
  BELLWIRE_ASSIGN_OR_RETURN(const std::unique_ptr<GatewayServer> server,
                            GatewayServer::Start(options));
  std::vector<std::pair<std::string, std::string>> ready = HttpAddresses(*server);
  ready.emplace_back("provider_address", server->address());
  std::atomic<bool> registry_serves{true};
  const HealthWatch registry_watch(registry_channel, [&](bool serving) {
    LogInfo("registry_health", {{"serving", serving ? "true" : "false"}});
    registry_serves.store(serving);
    server->SetStoreOk(serving);
  });
  metrics::DaemonMetrics metrics("bellwire-gateway");
  metrics.readiness()->AddCheck([&registry_serves] {
    if (registry_serves.load()) return absl::OkStatus();
    return absl::UnavailableError("the registry can't be reached, or its store fails");
  });
  metrics.AddDataDir(data_dir);
  if (!flags.http.https_cert.empty()) metrics.AddCertificate("https", flags.http.https_cert);
  metrics.AddSource([&server](metrics::Samples* samples) { server->Report(samples); });
  BELLWIRE_RETURN_IF_ERROR(metrics.Serve(flags.metrics_flags));
  const LiveMetrics::Shown shown(console_metrics, [&metrics] { return metrics.Collect(); });
  metrics.AppendAddress(&ready);
  BELLWIRE_RETURN_IF_ERROR(WriteReadyFile(flags.ready_file, ready));
  const CertificateWatch certificates(data_dir, RealClock());
  std::vector<Watchdog::Listener> listeners = ListenersOf(*server);
  metrics.AppendListener(&listeners);
  const Watchdog watchdog(std::move(listeners));
  WaitForShutdownSignal(flags, [&] {
    LogReload(data_dir.server_certificate(), server->ReloadCertificate());
    ReloadHttps(options, server.get());
    if (!options.admin_token.has_value()) return;
    absl::StatusOr<std::string> token = ReadPrivateFile(data_dir.admin_token());
    LogReload(data_dir.admin_token(),
              token.ok() ? server->SetAdminToken(std::string(absl::StripAsciiWhitespace(*token)))
                         : token.status());
  });
  metrics.readiness()->SetDraining();
  server->Drain(absl::Seconds(flags.drain_seconds));
  return absl::OkStatus();
}

}  // namespace
}  // namespace bellwire::gateway

int main(int argc, char** argv) {
  CLI::App app(
      "bellwire-gateway: the provider port (PushService and AdminService, gRPC over TLS).\n"
      "Keeps no state: run as many as you like beside one bellwire-registry. `bellwire serve` has "
      "it "
      "built in.",
      "bellwire-gateway");
  bellwire::gateway::Flags flags;
  app.add_option("--data_dir", flags.data_dir,
                 "Made by `bellwire init`; a copy without registry/ is enough")
      ->type_name("DIR")
      ->envname("BELLWIRE_DATA_DIR")
      ->required();
  app.add_option("--listen", flags.listen,
                 "Where app backends connect, HOST:PORT; port 0 takes a free one")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  app.add_option("--registry_address", flags.registry_address,
                 "Internal port of bellwire-registry, HOST:PORT. Of several that share a store it "
                 "is where the others are learned; ipv4:HOST:PORT,HOST:PORT names more than one")
      ->type_name("HOST:PORT")
      ->required();
  app.add_option("--drain_seconds", flags.drain_seconds,
                 "How long calls may go on after SIGTERM before they are cancelled")
      ->type_name("N")
      ->check(CLI::Range(0, 3600).description(""))
      ->capture_default_str();
  bellwire::gateway::AddHttpFlags(&app, &flags.http);
  bellwire::metrics::AddMetricsFlags(&app, &flags.metrics_flags);
  bellwire::gateway::AddFanOutFlags(&app, &flags.fan_outs);
  bellwire::AddDaemonFlags(&app, &flags);
  app.footer(
      "Example:\n"
      "  bellwire-gateway --data_dir /var/lib/bellwire --registry_address registry.internal:7445");
  if (std::optional<int> exit_code = bellwire::ParseFlags(&app, argc, argv)) return *exit_code;
  const absl::Status status = bellwire::gateway::Run(flags);
  return status.ok() ? bellwire::kExitOk : bellwire::ReportFailure(status);
}
