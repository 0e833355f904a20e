// bellwire-registry: the token registry as a process of its own.

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
#include "bellwire/internal/v1/internal.pb.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/status_macros.h"
#include "crypto/token_sealer.h"
#include "daemon/data_dir.h"
#include "daemon/main_support.h"
#include "registry/server.h"
#include "rpc/connector_api.h"
#include "rpc/credentials.h"
#include "rpc/grpc_connector_client.h"
#include "rpc/grpc_registry_server.h"
#include "rpc/internal_port.h"

namespace bellwire::registry {
namespace {

struct Flags : DaemonFlags {
  std::string data_dir;
  std::string listen = "127.0.0.1:7445";
};

absl::Status Run(const Flags& flags) {
  BELLWIRE_RETURN_IF_ERROR(PrepareProcess(flags));
  const DataDir data_dir(flags.data_dir);
  BELLWIRE_RETURN_IF_ERROR(CheckInitialised(data_dir));
  BELLWIRE_ASSIGN_OR_RETURN(const std::unique_ptr<TokenSealer> sealer,
                            TokenSealer::FromFile(data_dir.token_keys()));

  BELLWIRE_ASSIGN_OR_RETURN(const auto credentials,
                            InternalChannelCredentials(data_dir.internal()));

  // Destroyed in reverse: the port first, which uses the rest.
  const std::unique_ptr<ConnectorDirectory> connectors =
      NewConnectorDirectory(credentials, /*local_address=*/"", /*local=*/nullptr);
  RegistryServer::Options options;
  options.data_dir = data_dir.registry();
  options.sealer = sealer.get();
  options.clock = RealClock();
  options.on_due = [&connectors](const DeviceId& device, const internal::v1::Route& route,
                                 const internal::v1::Envelope& message) {
    internal::v1::ConnectorRequest request;
    *request.mutable_route() = route;
    request.set_device_id(std::string(device.bytes()));
    *request.mutable_deliver()->mutable_message() = message;
    // Whatever becomes of it: the message is in the mailbox, and the session's next page has it.
    connectors->Find(route.connector_address())
        ->Exchange(std::move(request), [](internal::v1::ConnectorResponse::Outcome) {});
  };
  BELLWIRE_ASSIGN_OR_RETURN(const std::unique_ptr<RegistryServer> server,
                            RegistryServer::Start(std::move(options)));
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
}  // namespace bellwire::registry

int main(int argc, char** argv) {
  CLI::App app(
      "bellwire-registry: keeps tokens, mailboxes and routes in RocksDB below DATA_DIR/registry.\n"
      "One process per directory; gateways and connectors are its clients. `bellwire serve` has it "
      "built in.",
      "bellwire-registry");
  bellwire::registry::Flags flags;
  app.add_option("--data_dir", flags.data_dir, "Made by `bellwire init`")
      ->type_name("DIR")
      ->envname("BELLWIRE_DATA_DIR")
      ->required();
  app.add_option("--listen", flags.listen,
                 "Where gateways and connectors connect, HOST:PORT; port 0 takes a free one")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  bellwire::AddDaemonFlags(&app, &flags);
  app.footer(
      "Example:\n"
      "  bellwire-registry --data_dir /var/lib/bellwire --listen 10.0.0.5:7445");
  if (std::optional<int> exit_code = bellwire::ParseFlags(&app, argc, argv)) return *exit_code;
  const absl::Status status = bellwire::registry::Run(flags);
  return status.ok() ? bellwire::kExitOk : bellwire::ReportFailure(status);
}
