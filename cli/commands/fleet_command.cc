#include "cli/commands/fleet_command.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "cli/fleet/sizing.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "ops/main_support.h"
#include "registry/engine/postgres/leases.h"
#include "registry/engine/postgres/pg_connection.h"
#include "registry/engine/postgres/schema.h"

namespace bellwire::cli {
namespace {

struct FleetFlags {
  std::string database;
  int partitions = registry::kDefaultPartitions;
  std::string address;
  bool undo = false;
  int wait_seconds = 60;
};

constexpr absl::Duration kDrainLook = absl::Milliseconds(100);

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
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<registry::Member> members,
                            registry::ReadMembers(connection.get()));
  const auto is_draining = [&members](const registry::LeaseOwner& owner) {
    return std::any_of(members.begin(), members.end(), [&owner](const registry::Member& member) {
      return member.id == owner.id && member.draining;
    });
  };
  const std::string standbys(names.Bytes(0, 0));
  Terminal& out = *context->terminal;
  if (out.json()) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const registry::LeaseOwner& owner : owners) {
      list.push_back({{"address", owner.address},
                      {"owned", owner.id != registry::kNoOwner},
                      {"partitions", owner.partitions},
                      {"draining", is_draining(owner)},
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
                    absl::StrCat(owner.partitions), is_draining(owner) ? "yes" : "no",
                    absl::StrCat(owner.epoch),
                    owner.counter < 0 ? "-" : absl::StrCat(owner.counter)});
  }
  out.Table({"owner", "partitions", "draining", "epoch", "heartbeats"}, rows);
  return absl::OkStatus();
}

absl::Status Plan(const SizingRequest& request, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(const FleetSize plan, SizeFleet(request));
  Terminal& out = *context->terminal;
  if (out.json()) {
    nlohmann::ordered_json roles = nlohmann::ordered_json::array();
    for (const SizedRole& role : plan.roles) {
      roles.push_back({{"role", role.role},
                       {"count", role.count},
                       {"cores", role.cores},
                       {"memory_gib", role.memory_gib},
                       {"bound_by", role.bound_by}});
    }
    out.Json({{"messages_per_second", plan.messages_per_second},
              {"heartbeats_per_second", plan.heartbeats_per_second},
              {"logins_per_second", plan.logins_per_second},
              {"roles", roles},
              {"database_disk_gib", plan.database_disk_gib},
              {"wal_mib_per_second", plan.wal_mib_per_second},
              {"archive_gib_a_day", plan.archive_gib_a_day},
              {"beyond_one_primary", plan.beyond_one_primary}});
    return absl::OkStatus();
  }
  out.Fields(
      {{"at the peak", absl::StrFormat("%.0f messages, %.0f heartbeats, %.0f logins a second",
                                       plan.messages_per_second, plan.heartbeats_per_second,
                                       plan.logins_per_second)},
       {"each database", absl::StrFormat("%.0f GiB of disk, %.1f MiB/s of WAL at the peak",
                                         plan.database_disk_gib, plan.wal_mib_per_second)},
       {"archive", absl::StrFormat("%.0f GiB of WAL a day", plan.archive_gib_a_day)}});
  out.Line();
  std::vector<std::vector<std::string>> rows;
  for (const SizedRole& role : plan.roles) {
    rows.push_back({role.role, absl::StrCat(role.count), absl::StrFormat("%.1f", role.cores),
                    absl::StrFormat("%.1f GiB", role.memory_gib), role.bound_by});
  }
  out.Table({"role", "machines", "cores", "memory", "because of"}, rows);
  if (plan.beyond_one_primary) {
    out.Line();
    out.Line(absl::StrCat(out.Bad("too much for one primary"),
                          "  measure, or use several fleets: docs/operate/sizing.md"));
  }
  return absl::OkStatus();
}

void AddPlanCommand(CLI::App* group, CommandContext* context) {
  CLI::App* command = group->add_subcommand(
      "plan",
      "How many machines a number of devices and messages needs, from the measured costs that "
      "docs/operate/sizing.md lists. One machine of each kind may be dead");
  auto request = std::make_shared<SizingRequest>();
  command->add_option("--devices", request->devices, "Devices that are connected at the same time")
      ->type_name("N")
      ->required();
  command
      ->add_option("--messages_a_day,--messages-a-day", request->messages_a_day,
                   "Messages to all devices together")
      ->type_name("M")
      ->required();
  command
      ->add_option("--peak", request->peak, "How busy the busiest minute is, in averages of a day")
      ->capture_default_str();
  command
      ->add_option("--heartbeat_seconds", request->heartbeat_seconds,
                   "Mean silence before a device's heartbeat")
      ->capture_default_str();
  command->add_option("--logins_a_day", request->logins_a_day, "How often a device connects anew")
      ->capture_default_str();
  command
      ->add_option("--active_share", request->active_share,
                   "Part of the devices that get something within an hour")
      ->capture_default_str();
  command
      ->add_option("--back_within_seconds", request->back_within_seconds,
                   "When the devices of a dead connector are to be back at the others")
      ->capture_default_str();
  command->add_option("--cores", request->cores, "Of a machine")->capture_default_str();
  command->add_option("--memory_gib", request->memory_gib, "Of a machine")->capture_default_str();
  AddJsonFlag(command, context);
  SetExamples(
      command,
      "  bellwire fleet plan --devices 1000000 --messages_a_day 20000000\n"
      "  bellwire fleet plan --devices 10000000 --messages_a_day 50000000 --peak 10 --json");
  command->callback([=] { context->run = [=] { return Plan(*request, context); }; });
}

// How many partitions of those that are spread the registries at this address own.
absl::StatusOr<int> PartitionsOf(registry::PgConnection* connection,
                                 const registry::StoreInfo& info, const std::string& address) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<registry::Lease> leases,
                            registry::ReadLeases(connection));
  return static_cast<int>(
      std::count_if(leases.begin(), leases.end(), [&](const registry::Lease& lease) {
        return lease.owner != registry::kNoOwner && lease.address == address &&
               lease.partition <= info.partitions;
      }));
}

absl::Status Drain(const FleetFlags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(const auto connection, Connect(flags, *context));
  BELLWIRE_ASSIGN_OR_RETURN(const registry::StoreInfo info,
                            registry::ReadStoreInfo(connection.get()));
  BELLWIRE_ASSIGN_OR_RETURN(
      const bool known,
      registry::SetDraining(connection.get(), flags.address, /*draining=*/!flags.undo));
  if (!known) {
    return WithHint(
        MakeError(absl::StatusCode::kNotFound, "NO_SUCH_REGISTRY",
                  absl::StrCat("no registry of this store says that it is at ", flags.address)),
        "`bellwire fleet status` lists them");
  }
  BELLWIRE_ASSIGN_OR_RETURN(int left, PartitionsOf(connection.get(), info, flags.address));
  const MonotonicTime deadline = context->clock->Monotonic() + absl::Seconds(flags.wait_seconds);
  absl::Notification never;
  while (!flags.undo && left > 0) {
    if (context->clock->Monotonic() >= deadline) {
      return WithHint(
          MakeError(absl::StatusCode::kDeadlineExceeded, "STILL_OWNED",
                    absl::StrCat("the registry still owns ", left, " partitions")),
          "it goes on draining: is there another registry that can take them?");
    }
    never.WaitForNotificationWithTimeout(kDrainLook);
    BELLWIRE_ASSIGN_OR_RETURN(left, PartitionsOf(connection.get(), info, flags.address));
  }
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json({{"address", flags.address}, {"draining", !flags.undo}, {"partitions", left}});
    return absl::OkStatus();
  }
  out.Line(flags.undo ? absl::StrCat(flags.address, " takes its share of partitions again")
                      : absl::StrCat(flags.address, " owns no partitions any more"));
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
  CLI::App* group = root->add_subcommand(
      "fleet", "Registries over a store in PostgreSQL: init, status, plan, drain");
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
  AddPlanCommand(group, context);
  CLI::App* drain =
      AddCommand(group, "drain",
                 "Move all partitions off a registry, which goes on running, and wait for that",
                 flags.get(), context);
  drain
      ->add_option("address", flags->address,
                   "Of the registry, as `bellwire fleet status` lists it")
      ->type_name("HOST:PORT")
      ->required();
  drain
      ->add_option("--wait_seconds", flags->wait_seconds,
                   "How long to wait; it goes on draining afterwards")
      ->check(CLI::Range(0, 24 * 60 * 60))
      ->capture_default_str();
  drain->add_flag("--undo", flags->undo, "Let it have its share of partitions again");
  SetExamples(drain, "  bellwire fleet drain --database \"service=bellwire\" 10.0.0.5:7445");
  drain->callback([=] { context->run = [=] { return Drain(*flags, context); }; });
}

}  // namespace bellwire::cli
