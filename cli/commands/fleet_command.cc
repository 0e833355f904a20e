#include "cli/commands/fleet_command.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "registry/engine/postgres/leases.h"
#include "registry/engine/postgres/pg_connection.h"
#include "registry/engine/postgres/schema.h"

namespace bellwire::cli {
namespace {

struct FleetFlags {
  std::string database;
  int partitions = registry::kDefaultPartitions;
};

absl::StatusOr<std::unique_ptr<registry::PgConnection>> Connect(const FleetFlags& flags,
                                                                const CommandContext& context) {
  return registry::PgConnection::Connect(
      {.database = flags.database, .name = "bellwire fleet", .clock = context.clock});
}

absl::Status Init(const FleetFlags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(const auto connection, Connect(flags, *context));
  BELLWIRE_RETURN_IF_ERROR(registry::MakeStore(connection.get(), flags.partitions));
  BELLWIRE_ASSIGN_OR_RETURN(const registry::StoreInfo info,
                            registry::ReadStoreInfo(connection.get()));
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json({{"version", info.version}, {"partitions", info.partitions}});
    return absl::OkStatus();
  }
  out.Line(absl::StrCat(out.Good("ready"), "  a store of ", info.partitions,
                        " partitions, version ", info.version));
  out.Line("next: start bellwire-registry with the same --database");
  return absl::OkStatus();
}

absl::Status Status(const FleetFlags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(const auto connection, Connect(flags, *context));
  BELLWIRE_ASSIGN_OR_RETURN(const registry::StoreInfo info,
                            registry::ReadStoreInfo(connection.get()));
  BELLWIRE_ASSIGN_OR_RETURN(const registry::PgRows names,
                            connection->Ask(registry::kReadStandbyNames, {},
                                            registry::kLeaseTimeout, "reading the setup"));
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<registry::LeaseOwner> owners,
                            registry::ReadOwners(connection.get()));
  const std::string standbys(names.Bytes(0, 0));
  Terminal& out = *context->terminal;
  if (out.json()) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const registry::LeaseOwner& owner : owners) {
      list.push_back({{"address", owner.address},
                      {"owned", owner.id != registry::kNoOwner},
                      {"partitions", owner.partitions},
                      {"epoch", owner.epoch},
                      {"heartbeats", owner.counter}});
    }
    out.Json({{"version", info.version},
              {"partitions", info.partitions},
              {"synchronous_standby_names", standbys},
              {"owners", list}});
    return absl::OkStatus();
  }
  out.Fields({{"version", absl::StrCat(info.version)},
              {"partitions", absl::StrCat(info.partitions, " and one for what is no device's")},
              {"standbys", standbys.empty() ? out.Bad("none: commits have one copy") : standbys}});
  out.Line();
  std::vector<std::vector<std::string>> rows;
  for (const registry::LeaseOwner& owner : owners) {
    rows.push_back({owner.id == registry::kNoOwner ? out.Bad("nobody") : owner.address,
                    absl::StrCat(owner.partitions), absl::StrCat(owner.epoch),
                    owner.counter < 0 ? "-" : absl::StrCat(owner.counter)});
  }
  out.Table({"owner", "partitions", "epoch", "heartbeats"}, rows);
  return absl::OkStatus();
}

CLI::App* AddCommand(CLI::App* group, const std::string& name, const std::string& help,
                     FleetFlags* flags, CommandContext* context) {
  CLI::App* command = group->add_subcommand(name, help);
  command
      ->add_option("--database", flags->database,
                   "A connection string of PostgreSQL, with every option of libpq")
      ->type_name("URL")
      ->envname("BELLWIRE_DATABASE")
      ->required();
  AddJsonFlag(command, context);
  return command;
}

}  // namespace

void AddFleetCommand(CLI::App* root, CommandContext* context) {
  CLI::App* group =
      root->add_subcommand("fleet", "Registries over a store in PostgreSQL: init, status");
  group->require_subcommand(1);
  auto flags = std::make_shared<FleetFlags>();
  CLI::App* init =
      AddCommand(group, "init",
                 "Make the store in a database, or bring it up to date. A store that is "
                 "there keeps what it has",
                 flags.get(), context);
  init->add_option("--partitions", flags->partitions,
                   "Of a new store. It is never changed; more than registries is enough")
      ->check(CLI::Range(1, registry::kMaxPartitions))
      ->capture_default_str();
  SetExamples(init,
              "  bellwire fleet init --database "
              "\"postgresql://bellwire@db1,db2/bellwire?passfile=/etc/bellwire/pgpass\"");
  init->callback([=] { context->run = [=] { return Init(*flags, context); }; });
  CLI::App* status = AddCommand(group, "status", "Who owns the store, and whether it is copied",
                                flags.get(), context);
  SetExamples(status, "  bellwire fleet status --database \"service=bellwire\" --json");
  status->callback([=] { context->run = [=] { return Status(*flags, context); }; });
}

}  // namespace bellwire::cli
