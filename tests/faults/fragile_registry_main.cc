// bellwire-registry on a disk that keeps only what was synced: SIGKILL is a power cut.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "crypto/token_sealer.h"
#include "daemon/data_dir.h"
#include "daemon/main_support.h"
#include "registry/server.h"
#include "rocksdb/env.h"
#include "rpc/grpc_registry_server.h"
#include "rpc/internal_port.h"
#include "tests/faults/fragile_file_system.h"

namespace bellwire::tests {
namespace {

struct Flags : DaemonFlags {
  std::string data_dir;
  std::string listen = "127.0.0.1:0";
  uint64_t disk_seed = 0;
  // A good disk's. While a sync runs, what it is about is at risk.
  int sync_microseconds = 1000;
};

absl::Status Run(const Flags& flags) {
  BELLWIRE_RETURN_IF_ERROR(PrepareProcess(flags));
  const DataDir data_dir(flags.data_dir);
  BELLWIRE_ASSIGN_OR_RETURN(const std::unique_ptr<TokenSealer> sealer,
                            TokenSealer::FromFile(data_dir.token_keys()));
  FragileDisk disk({.root = data_dir.registry(),
                    .seed = flags.disk_seed,
                    .sync_latency = absl::Microseconds(flags.sync_microseconds)});
  const std::unique_ptr<rocksdb::Env> env = NewFragileEnv(&disk);
  registry::RegistryServer::Options options;
  options.data_dir = data_dir.registry();
  options.sealer = sealer.get();
  options.clock = RealClock();
  options.env = env.get();
  BELLWIRE_ASSIGN_OR_RETURN(const std::unique_ptr<registry::RegistryServer> server,
                            registry::RegistryServer::Start(std::move(options)));
  std::vector<std::unique_ptr<grpc::Service>> services;
  services.push_back(NewGrpcRegistryService(server->api()));
  BELLWIRE_ASSIGN_OR_RETURN(
      const std::unique_ptr<InternalPort> port,
      InternalPort::Open(flags.listen, data_dir.internal(), std::move(services)));
  BELLWIRE_RETURN_IF_ERROR(
      WriteReadyFile(flags.ready_file, {{"internal_address", port->address()}}));
  WaitForShutdownSignal();
  port->Close();
  return absl::OkStatus();
}

}  // namespace
}  // namespace bellwire::tests

int main(int argc, char** argv) {
  CLI::App app("bellwire-registry on a disk that keeps only what was synced", "fragile_registry");
  bellwire::tests::Flags flags;
  app.add_option("--data_dir", flags.data_dir, "Made by `bellwire init`")->required();
  app.add_option("--listen", flags.listen, "HOST:PORT");
  app.add_option("--disk_seed", flags.disk_seed, "What reaches the disk without being synced");
  app.add_option("--sync_microseconds", flags.sync_microseconds, "How long a sync takes");
  bellwire::AddDaemonFlags(&app, &flags);
  if (std::optional<int> exit_code = bellwire::ParseFlags(&app, argc, argv)) return *exit_code;
  const absl::Status status = bellwire::tests::Run(flags);
  return status.ok() ? bellwire::kExitOk : bellwire::ReportFailure(status);
}
