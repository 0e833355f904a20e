#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cli/command.h"
#include "cli/embedded_server.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "gateway/doors/console/live_metrics.h"
#include "gateway/http_flags.h"
#include "gateway/topics/fan_out_flags.h"
#include "ops/data_dir.h"
#include "ops/main_support.h"
#include "ops/metrics/daemon_metrics.h"
#include "ops/watchdog.h"
#include "registry/devices/device_policy.h"
#include "registry/server/privacy_flags.h"
#include "registry/server/subscription_policy.h"

namespace bellwire::cli {
namespace {

struct Flags : DaemonFlags {
  EmbeddedServer::Options server;
  gateway::HttpFlags http;
  metrics::MetricsFlags metrics_flags;
  gateway::FanOutFlags fan_outs;
  // A name of SubscriptionPolicies().
  std::string subscriptions = "vapid";
  registry::DeviceFlags devices;
  int drain_seconds = 5;
  int heartbeat_min_seconds = static_cast<int>(absl::ToInt64Seconds(kMinHeartbeatInterval));
  int heartbeat_max_seconds = static_cast<int>(absl::ToInt64Seconds(kMaxHeartbeatInterval));
};

absl::Status Serve(const Flags& flags, CommandContext* context) {
  BELLWIRE_RETURN_IF_ERROR(PrepareServer(flags));
  EmbeddedServer::Options options = flags.server;
  options.clock = context->clock;
  options.subscriptions = registry::SubscriptionPolicies().at(flags.subscriptions);
  BELLWIRE_ASSIGN_OR_RETURN(options.devices, flags.devices.policy());
  BELLWIRE_RETURN_IF_ERROR(gateway::ApplyHttpFlags(flags.http, &options.gateway));
  options.gateway.fan_outs = flags.fan_outs;
  const auto console_metrics = std::make_shared<gateway::LiveMetrics>();
  options.gateway.console_metrics = console_metrics;
  options.heartbeat_range = {absl::Seconds(flags.heartbeat_min_seconds),
                             absl::Seconds(flags.heartbeat_max_seconds)};
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<EmbeddedServer> server, EmbeddedServer::Start(options));
  std::vector<std::pair<std::string, std::string>> ready = server->http_addresses();
  ready.emplace_back("provider_address", server->provider_address());
  ready.emplace_back("device_address", server->device_address());
  metrics::DaemonMetrics metrics("bellwire-serve");
  metrics.AddDataDir(DataDir(options.data_dir));
  if (!flags.http.https_cert.empty()) metrics.AddCertificate("https", flags.http.https_cert);
  metrics.AddSource([&server](metrics::Samples* samples) { server->Report(samples); });
  metrics.readiness()->AddCheck([&server] { return server->StoreStatus(); });
  BELLWIRE_RETURN_IF_ERROR(metrics.Serve(flags.metrics_flags));
  const gateway::LiveMetrics::Shown shown(console_metrics,
                                          [&metrics] { return metrics.Collect(); });
  metrics.AppendAddress(&ready);
  BELLWIRE_RETURN_IF_ERROR(WriteReadyFile(flags.ready_file, ready));
  LogInfo("serving", {{"provider_address", server->provider_address()},
                      {"device_address", server->device_address()},
                      {"data_dir", options.data_dir}});
  std::vector<Watchdog::Listener> listeners;
  listeners.push_back({.name = "provider_port", .responds = [&](absl::Duration patience) {
                         return server->ProviderPortResponds(patience);
                       }});
  listeners.push_back({.name = "device_port", .responds = [&](absl::Duration patience) {
                         return server->DevicePortResponds(patience);
                       }});
  listeners.push_back({.name = "registry_writer", .responds = [&](absl::Duration patience) {
                         return server->RegistryResponds(patience);
                       }});
  metrics.AppendListener(&listeners);
  const Watchdog watchdog(std::move(listeners));
  WaitForShutdownSignal(flags, [&server] { server->Reload(); });
  metrics.readiness()->SetDraining();
  server->Drain(absl::Seconds(flags.drain_seconds));
  return absl::OkStatus();
}

}  // namespace

void AddServeCommand(CLI::App* root, CommandContext* context) {
  CLI::App* command = root->add_subcommand(
      "serve", "Run the whole server: gateway, connector and registry in one process");
  auto flags = std::make_shared<Flags>();
  command->add_option("--data_dir", flags->server.data_dir, "Made by `bellwire init`")
      ->type_name("DIR")
      ->envname("BELLWIRE_DATA_DIR");
  command
      ->add_option("--provider_listen", flags->server.provider_listen,
                   "Where app backends and this tool connect (gRPC over TLS), HOST:PORT")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  command
      ->add_option("--device_listen", flags->server.device_listen,
                   "Where agents connect (TLS 1.3), HOST:PORT; port 0 takes a free one")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  command
      ->add_option("--shards", flags->server.shards,
                   "Threads for device connections [one per processor]")
      ->type_name("N")
      ->check(CLI::Range(0, 1024).description(""));
  command
      ->add_option("--drain_seconds", flags->drain_seconds,
                   "How long a stop lets calls finish, and then spreads agents leaving")
      ->type_name("N")
      ->check(CLI::Range(0, 3600).description(""))
      ->capture_default_str();
  command
      ->add_option("--ticket_key_file", flags->server.ticket_key_path,
                   "Secrets for TLS session tickets: with it, agents resume their sessions after a "
                   "restart, and at other servers that have it. 64 hex digits a line, newest first "
                   "(0600) [DATA_DIR/ticket.keys]")
      ->type_name("FILE");
  command
      ->add_option("--heartbeat_min_seconds", flags->heartbeat_min_seconds,
                   "Shortest silence after which agents may send a heartbeat")
      ->type_name("N")
      ->check(CLI::Range(1, 3600).description(""))
      ->capture_default_str();
  command
      ->add_option("--heartbeat_max_seconds", flags->heartbeat_max_seconds,
                   "Longest silence that agents may come to; a dead one is noticed so much later")
      ->type_name("N")
      ->check(CLI::Range(1, 3600).description(""))
      ->capture_default_str();
  gateway::AddHttpFlags(command, &flags->http);
  metrics::AddMetricsFlags(command, &flags->metrics_flags);
  gateway::AddFanOutFlags(command, &flags->fan_outs);
  registry::AddSubscriptionsFlag(command, &flags->subscriptions);
  registry::AddDeviceFlags(command, &flags->devices);
  command
      ->add_option("--backup_dir", flags->server.backup_dir,
                   "Where `bellwire registry backup` may write, and nowhere else; made if it does "
                   "not exist. Without it no backups are made")
      ->type_name("DIR");
  registry::AddPrivacyFlags(command, &flags->server.privacy);
  AddDaemonFlags(command, flags.get());
  SetExamples(command,
              "  bellwire serve --data_dir ./data\n"
              "  bellwire serve --data_dir /var/lib/bellwire --https_listen [::]:443 "
              "--https_cert fullchain.pem --https_key privkey.pem "
              "--public_url https://push.example.com\n"
              "  bellwire serve --data_dir /var/lib/bellwire --config /etc/bellwire/serve.conf "
              "--log_json");
  command->callback([=] { context->run = [=] { return Serve(*flags, context); }; });
}

}  // namespace bellwire::cli
