// bellwire-registry: the token registry as a process of its own.

#include <optional>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/status/status.h"
#include "ops/main_support.h"
#include "registry/server/daemon.h"

int main(int argc, char** argv) {
  CLI::App app(
      "bellwire-registry: keeps tokens, mailboxes and routes in RocksDB below DATA_DIR/registry.\n"
      "One process per directory; gateways and connectors are its clients. `bellwire serve` has it "
      "built in. With --database the store is in PostgreSQL.",
      "bellwire-registry");
  bellwire::registry::RegistryFlags flags;
  bellwire::registry::AddRegistryFlags(&app, &flags);
  app.footer(
      "Example:\n"
      "  bellwire-registry --data_dir /var/lib/bellwire --listen 10.0.0.5:7445\n"
      "  bellwire-registry --data_dir /var/lib/bellwire --listen 10.0.0.5:7445 \\\n"
      "      --database \"service=bellwire\"");
  if (std::optional<int> exit_code = bellwire::ParseFlags(&app, argc, argv)) return *exit_code;
  const absl::Status status = bellwire::registry::RunRegistry(flags, /*env=*/nullptr);
  return status.ok() ? bellwire::kExitOk : bellwire::ReportFailure(status);
}
