#include "registry/server/daemon.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/host_port.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "crypto/token_sealer.h"
#include "ops/certificate_watch.h"
#include "ops/data_dir.h"
#include "ops/watchdog.h"
#include "registry/engine/postgres/durability.h"
#include "registry/engine/postgres/pg_status.h"
#include "registry/engine/postgres/postgres_engine.h"
#include "registry/server/server.h"
#include "registry/server/subscription_policy.h"
#include "rpc/grpc_registry_server.h"
#include "rpc/grpc_session_server.h"
#include "rpc/internal_port.h"

namespace bellwire::registry {

void AddRegistryFlags(CLI::App* app, RegistryFlags* flags) {
  app->add_option("--data_dir", flags->data_dir, "Made by `bellwire init`")
      ->type_name("DIR")
      ->envname("BELLWIRE_DATA_DIR")
      ->required();
  app->add_option("--listen", flags->listen,
                  "Where gateways and connectors connect, HOST:PORT; port 0 takes a free one")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  app->add_option("--advertise_address", flags->advertise_address,
                  "With --database: where gateways and connectors reach this registry, HOST:PORT, "
                  "if that is not what it listens on")
      ->type_name("HOST:PORT");
  AddSubscriptionsFlag(app, &flags->subscriptions);
  AddDeviceFlags(app, &flags->devices);
  app->add_option(
         "--backup_dir", flags->backup_dir,
         "Where `bellwire registry backup` may write, and nowhere else; made if it does not "
         "exist. Without it no backups are made")
      ->type_name("DIR");
  AddPrivacyFlags(app, &flags->privacy);
  metrics::AddMetricsFlags(app, &flags->metrics_flags);
  CLI::Option* const database =
      app->add_option("--database", flags->database,
                      "Keeps the store in PostgreSQL instead: a connection string with every "
                      "option of libpq, such as "
                      "\"postgresql://bellwire@db1,db2/bellwire?passfile=/etc/bellwire/pgpass\". "
                      "`bellwire fleet init` makes the store. Several registries may name the same "
                      "one, and share its devices");
  database->type_name("URL")->envname("BELLWIRE_DATABASE")->excludes("--backup_dir");
  app->add_option(
         "--database_durability", flags->database_durability,
         "What OK means with --database: standby (on the disks of the primary and of a "
         "synchronous standby), storage (on a disk that is replicated itself), single (one "
         "disk, for trying out)")
      ->type_name("KIND")
      ->check(CLI::IsMember({"standby", "storage", "single"}))
      ->needs(database)
      ->capture_default_str();
  app->add_option("--database_cache_mib", flags->database_cache_mib,
                  "Memory for the records of devices in front of the database: a device that is "
                  "held costs no round trip")
      ->type_name("MIB")
      ->check(CLI::Range(1, 1 << 20))
      ->needs(database)
      ->capture_default_str();
  AddDaemonFlags(app, flags);
}

namespace {

// How long others may take to take over what a registry that ends has: many times what they need.
constexpr absl::Duration kMaxLeaving = absl::Seconds(20);

// Where others find a registry that shares its store.
absl::Status CheckAddress(const RegistryFlags& flags) {
  if (flags.database.empty()) return absl::OkStatus();
  const std::string& address =
      flags.advertise_address.empty() ? flags.listen : flags.advertise_address;
  BELLWIRE_ASSIGN_OR_RETURN(const HostPort parsed, ParseHostPort(address));
  if (!parsed.host.empty() && parsed.host != "0.0.0.0" && parsed.host != "::") {
    return absl::OkStatus();
  }
  return WithHint(MakeError(absl::StatusCode::kInvalidArgument, "BAD_ADDRESS",
                            absl::StrCat("--listen ", flags.listen,
                                         " says where to listen, not where gateways and "
                                         "connectors find this registry")),
                  "add --advertise_address HOST:PORT");
}

PostgresEngine::Options DatabaseOptions(const RegistryFlags& flags, std::atomic<bool>* fenced) {
  return {.database = flags.database,
          .durability = *ParseDatabaseDurability(flags.database_durability),
          .clock = RealClock(),
          // Others own what this process had: it ends, and may be started again.
          .on_fenced =
              [fenced] {
                fenced->store(true);
                kill(getpid(), SIGTERM);
              },
          .shares = true};
}

}  // namespace

absl::Status RunRegistry(const RegistryFlags& flags, rocksdb::Env* env) {
  BELLWIRE_RETURN_IF_ERROR(PrepareServer(flags));
  BELLWIRE_RETURN_IF_ERROR(CheckAddress(flags));
  const DataDir data_dir(flags.data_dir);
  BELLWIRE_RETURN_IF_ERROR(CheckInitialised(data_dir, Role::kRegistry));
  BELLWIRE_ASSIGN_OR_RETURN(const std::unique_ptr<TokenSealer> sealer,
                            TokenSealer::FromFile(data_dir.token_keys()));

  std::atomic<bool> fenced = false;
  RegistryServer::Options options;
  options.data_dir = data_dir.registry();
  if (!flags.database.empty()) options.database = DatabaseOptions(flags, &fenced);
  options.database_cache_bytes = flags.database_cache_mib << 20;
  options.backup_dir = flags.backup_dir;
  options.payload_key_file = flags.privacy.payload_key_file;
  options.retention = flags.privacy.retention();
  options.keys_dir = flags.data_dir;
  options.sealer = sealer.get();
  options.clock = RealClock();
  options.env = env;
  options.subscriptions = SubscriptionPolicies().at(flags.subscriptions);
  BELLWIRE_ASSIGN_OR_RETURN(options.devices, flags.devices.policy());
  // Destroyed in reverse: the port first, which uses the rest.
  BELLWIRE_ASSIGN_OR_RETURN(const std::unique_ptr<RegistryServer> server,
                            RegistryServer::Start(std::move(options)));
  std::vector<std::unique_ptr<grpc::Service>> services = NewGrpcRegistryServices(server->api());
  auto sessions = std::make_unique<GrpcSessionService>(
      server->api(), [&server](uint64_t incarnation) { server->OnConnectorGone(incarnation); });
  // The port has it; so it is forgotten before.
  GrpcSessionService* const connectors = sessions.get();
  services.push_back(std::move(sessions));
  BELLWIRE_ASSIGN_OR_RETURN(
      const std::unique_ptr<InternalPort> port,
      InternalPort::Open(flags.listen, data_dir.internal(), std::move(services)));
  server->SetConnectors(connectors);
  const absl::Cleanup forget_connectors = [&server] { server->SetConnectors(nullptr); };
  server->SetOnStoreChange([&port](bool ok) { port->SetServing(ok); });
  const absl::Cleanup forget_port = [&server] { server->SetOnStoreChange(nullptr); };
  metrics::DaemonMetrics metrics("bellwire-registry");
  metrics.AddDataDir(data_dir);
  metrics.AddSource([&server](metrics::Samples* samples) { server->Report(samples); });
  metrics.readiness()->AddCheck([&server] { return server->StoreStatus(); });
  BELLWIRE_RETURN_IF_ERROR(metrics.Serve(flags.metrics_flags));
  std::vector<std::pair<std::string, std::string>> ready = {{"internal_address", port->address()}};
  metrics.AppendAddress(&ready);
  server->JoinFleet(flags.advertise_address.empty() ? port->address() : flags.advertise_address);
  BELLWIRE_RETURN_IF_ERROR(WriteReadyFile(flags.ready_file, ready));
  std::vector<Watchdog::Listener> listeners;
  listeners.push_back({.name = "internal_port", .responds = [&port](absl::Duration patience) {
                         return port->Responds(patience);
                       }});
  listeners.push_back({.name = "writer", .responds = [&server](absl::Duration patience) {
                         return server->Responds(patience);
                       }});
  metrics.AppendListener(&listeners);
  const CertificateWatch certificates(data_dir, RealClock());
  const Watchdog watchdog(std::move(listeners));
  WaitForShutdownSignal(flags);
  metrics.readiness()->SetDraining();
  // Callers follow what they call for, so the port stays open until nothing is here.
  if (!fenced.load()) server->LeaveFleet(kMaxLeaving);
  server->SetOnStoreChange(nullptr);
  server->EndWaits();
  port->Close();
  if (fenced.load()) {
    return NotOwnerError("other registries have taken what this one owned; it ends");
  }
  return absl::OkStatus();
}

}  // namespace bellwire::registry
