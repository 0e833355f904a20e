// bellwire-connector: the device port as a process of its own.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/base/thread_annotations.h"
#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "connector/shard/server.h"
#include "net/socket/address.h"
#include "ops/certificate_watch.h"
#include "ops/data_dir.h"
#include "ops/main_support.h"
#include "ops/metrics/daemon_metrics.h"
#include "ops/watchdog.h"
#include "rpc/credentials.h"
#include "rpc/grpc_registry_client.h"
#include "rpc/grpc_session_client.h"
#include "rpc/internal_port.h"
#include "rpc/registry_router.h"

namespace bellwire::connector {
namespace {

struct Flags : DaemonFlags {
  metrics::MetricsFlags metrics_flags;
  std::string data_dir;
  std::string listen = "[::]:7444";
  std::string internal_listen = "127.0.0.1:7446";
  std::string advertise_internal_address;
  std::string registry_address;
  int shards = 0;
  int drain_seconds = 20;
  std::vector<std::string> drain_to;
  std::string public_url;
  std::string ticket_key_file;
  int heartbeat_min_seconds = static_cast<int>(absl::ToInt64Seconds(kMinHeartbeatInterval));
  int heartbeat_max_seconds = static_cast<int>(absl::ToInt64Seconds(kMaxHeartbeatInterval));
};

bool IsAnyAddress(absl::string_view host) {
  return host.empty() || host == "0.0.0.0" || host == "[::]" || host == "::";
}

// How this connector is called, and where agents find another one, checked before anything starts.
absl::Status CheckAddresses(const Flags& flags) {
  for (const std::string& address : flags.drain_to) {
    const absl::StatusOr<net::HostPort> parsed = net::ParseHostPort(address);
    if (!parsed.ok())
      return WithHint(parsed.status(), "--drain_to takes HOST:PORT as agents reach it");
  }
  if (!flags.advertise_internal_address.empty() || !IsAnyAddress(HostOf(flags.internal_listen))) {
    return absl::OkStatus();
  }
  return WithHint(MakeError(absl::StatusCode::kInvalidArgument, "BAD_ADDRESS",
                            absl::StrCat("--internal_listen ", flags.internal_listen,
                                         " says where to listen, not how this connector is "
                                         "called")),
                  "add --advertise_internal_address HOST:PORT");
}

absl::Status Run(const Flags& flags) {
  BELLWIRE_RETURN_IF_ERROR(PrepareServer(flags));
  BELLWIRE_RETURN_IF_ERROR(CheckAddresses(flags));
  const DataDir data_dir(flags.data_dir);
  BELLWIRE_RETURN_IF_ERROR(CheckInitialised(data_dir, Role::kConnector));
  BELLWIRE_ASSIGN_OR_RETURN(const auto credentials,
                            InternalChannelCredentials(data_dir.internal()));

  // Destroyed in reverse: the ports first, which use the rest.
  const std::unique_ptr<RegistryRouter> registry = RegistryRouter::New(
      {.connect =
           [&](const std::string& address) {
             const std::shared_ptr<grpc::Channel> channel =
                 NewInternalChannel(address.empty() ? flags.registry_address : address,
                                    credentials, Role::kRegistry);
             return RegistryRouter::Client{.unary = NewGrpcRegistryClient(channel),
                                           .sessions = NewGrpcSessionClient(channel)};
           },
       .clock = RealClock()});
  BELLWIRE_ASSIGN_OR_RETURN(
      const std::unique_ptr<InternalPort> internal_port,
      InternalPort::Open(flags.internal_listen, data_dir.internal(), {}));

  ConnectorServer::Options options;
  options.device_listen = flags.listen;
  options.shards = flags.shards;
  options.heartbeat_range = {absl::Seconds(flags.heartbeat_min_seconds),
                             absl::Seconds(flags.heartbeat_max_seconds)};
  options.certificate_path = data_dir.server_certificate();
  options.private_key_path = data_dir.server_key();
  options.internal_address = flags.advertise_internal_address.empty()
                                 ? internal_port->address()
                                 : flags.advertise_internal_address;
  options.stream = registry.get();
  options.networks = registry.get();
  options.topics = registry.get();
  options.drain_to = flags.drain_to;
  options.public_url = std::string(absl::StripSuffix(flags.public_url, "/"));
  options.ticket_key_path = TicketKeyFile(data_dir, flags.ticket_key_file);
  options.clock = RealClock();
  BELLWIRE_ASSIGN_OR_RETURN(const std::unique_ptr<ConnectorServer> server,
                            ConnectorServer::Start(std::move(options)));
  metrics::DaemonMetrics metrics("bellwire-connector");
  metrics.AddDataDir(data_dir);
  metrics.AddSource([&server](metrics::Samples* samples) { server->Report(samples); });
  BELLWIRE_RETURN_IF_ERROR(metrics.Serve(flags.metrics_flags));
  std::vector<std::pair<std::string, std::string>> ready = {
      {"device_address", server->device_address()}, {"internal_address", internal_port->address()}};
  metrics.AppendAddress(&ready);
  BELLWIRE_RETURN_IF_ERROR(WriteReadyFile(flags.ready_file, ready));
  std::vector<Watchdog::Listener> listeners;
  listeners.push_back({.name = "internal_port", .responds = [&](absl::Duration patience) {
                         return internal_port->Responds(patience);
                       }});
  listeners.push_back({.name = "device_port", .responds = [&](absl::Duration patience) {
                         return server->Responds(patience);
                       }});
  const CertificateWatch certificates(data_dir, RealClock());
  metrics.AppendListener(&listeners);
  const Watchdog watchdog(std::move(listeners));
  WaitForShutdownSignal(flags, [&] {
    const std::string ticket_keys = TicketKeyFile(data_dir, flags.ticket_key_file);
    LogReload(
        absl::StrCat(data_dir.server_certificate(), ticket_keys.empty() ? "" : ", ", ticket_keys),
        server->ReloadTls(ticket_keys));
  });
  metrics.readiness()->SetDraining();
  server->Drain(absl::Seconds(flags.drain_seconds));
  internal_port->Close();
  return absl::OkStatus();
}

}  // namespace
}  // namespace bellwire::connector

int main(int argc, char** argv) {
  CLI::App app(
      "bellwire-connector: the device port, which holds the one connection of each phone.\n"
      "Owns nothing: run as many as you like beside one bellwire-registry. `bellwire serve` has it "
      "built in.",
      "bellwire-connector");
  bellwire::connector::Flags flags;
  app.add_option("--data_dir", flags.data_dir,
                 "Made by `bellwire init`; a copy without registry/ is enough")
      ->type_name("DIR")
      ->envname("BELLWIRE_DATA_DIR")
      ->required();
  app.add_option("--listen", flags.listen,
                 "Where agents connect, HOST:PORT; port 0 takes a free one")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  app.add_option("--internal_listen", flags.internal_listen,
                 "Where the health of this connector is asked, HOST:PORT; port 0 takes a free one")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  app.add_option("--advertise_internal_address", flags.advertise_internal_address,
                 "How the registry names this connector instead, HOST:PORT")
      ->type_name("HOST:PORT");
  app.add_option("--registry_address", flags.registry_address,
                 "Internal port of bellwire-registry, HOST:PORT. Of several that share a store it "
                 "is where the others are learned; ipv4:HOST:PORT,HOST:PORT names more than one")
      ->type_name("HOST:PORT")
      ->required();
  app.add_option("--shards", flags.shards, "Threads that serve agents; 0: one per processor")
      ->type_name("N")
      ->check(CLI::Range(0, bellwire::kMaxShards).description(""))
      ->capture_default_str();
  app.add_option("--drain_seconds", flags.drain_seconds,
                 "How long sending the agents away may take after SIGTERM")
      ->type_name("N")
      ->check(CLI::Range(0, 3600).description(""))
      ->capture_default_str();
  app.add_option(
         "--drain_to", flags.drain_to,
         "Device port of another connector, as agents reach it: after SIGTERM they are sent "
         "there. May be repeated; without it they come back to their configured servers")
      ->type_name("HOST:PORT");
  app.add_option(
         "--public_url", flags.public_url,
         "What the endpoints of web pages and UnifiedPush apps begin with: where the "
         "gateways are reached, such as https://push.example.com; without it there are none")
      ->type_name("URL")
      ->check([](const std::string& url) {
        return absl::StartsWith(url, "https://") || absl::StartsWith(url, "http://")
                   ? ""
                   : "must begin with https:// (or http:// for a trial)";
      });
  app.add_option(
         "--ticket_key_file", flags.ticket_key_file,
         "Secrets that the connectors of a fleet share: an agent then resumes its TLS session at "
         "any of them, which spares both a full handshake. 64 hex digits a line, newest first "
         "(0600) [DATA_DIR/ticket.keys]")
      ->type_name("FILE");
  app.add_option("--heartbeat_min_seconds", flags.heartbeat_min_seconds,
                 "Shortest silence after which agents may send a heartbeat")
      ->type_name("N")
      ->check(CLI::Range(1, 3600).description(""))
      ->capture_default_str();
  app.add_option("--heartbeat_max_seconds", flags.heartbeat_max_seconds,
                 "Longest silence that agents may come to; a dead one is noticed so much later")
      ->type_name("N")
      ->check(CLI::Range(1, 3600).description(""))
      ->capture_default_str();
  bellwire::metrics::AddMetricsFlags(&app, &flags.metrics_flags);
  bellwire::AddDaemonFlags(&app, &flags);
  app.footer(
      "Example:\n"
      "  bellwire-connector --data_dir /var/lib/bellwire --registry_address registry.internal:7445 "
      "\\\n"
      "      --internal_listen 0.0.0.0:7446 --advertise_internal_address connector1.internal:7446");
  if (std::optional<int> exit_code = bellwire::ParseFlags(&app, argc, argv)) return *exit_code;
  const absl::Status status = bellwire::connector::Run(flags);
  return status.ok() ? bellwire::kExitOk : bellwire::ReportFailure(status);
}
