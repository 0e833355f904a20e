#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/command.h"
#include "common/status_macros.h"
#include "ops/data_dir.h"
#include "ops/fleet.h"
#include "ops/init_data_dir.h"
#include "ops/repair_data_dir.h"
#include "rpc/roles.h"

namespace bellwire::cli {
namespace {

struct Flags {
  std::string data_dir;
  std::vector<std::string> server_names;
  bool repair = false;
  bool new_token_keys = false;
  bool fleet = false;
  FleetOptions fleet_options;
};

std::vector<std::string> DefaultServerNames() {
  std::vector<std::string> names = {"localhost", "127.0.0.1", "::1"};
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) == 0 && host[0] != '\0' &&
      names[0] != host.data()) {
    names.push_back(host.data());
  }
  return names;
}

absl::Status MakeAgain(const DataDir& dir, const std::vector<std::string>& names,
                       const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(
      const std::vector<Repaired> repaired,
      RepairDataDir(dir, {.server_names = names, .new_token_keys = flags.new_token_keys},
                    context->clock->WallNow()));
  Terminal& out = *context->terminal;
  if (out.json()) {
    nlohmann::ordered_json json = {{"data_dir", dir.path()},
                                   {"repaired", nlohmann::ordered_json::array()}};
    for (const Repaired& r : repaired) {
      json["repaired"].push_back({{"file", r.file}, {"what", r.what}});
    }
    out.Json(json);
    return absl::OkStatus();
  }
  if (repaired.empty()) {
    out.Line(absl::StrCat(out.Good("complete"), "  nothing is missing in ", out.Bold(dir.path())));
    return absl::OkStatus();
  }
  std::vector<std::pair<std::string, std::string>> fields;
  for (const Repaired& r : repaired) fields.emplace_back(r.file, r.what);
  out.Fields(fields);
  out.Line();
  out.Line("next: start the server, or send it SIGHUP if it runs");
  return absl::OkStatus();
}

absl::string_view HoldsOf(const FleetDaemon& daemon) {
  switch (daemon.role) {
    case Role::kRegistry:
      return "seals tokens; put the store (registry/) of an older server into it";
    case Role::kConnector:
      return "certificate of the device port, ticket.keys";
    case Role::kGateway:
      break;
  }
  return daemon.name == "gateway-1" ? "certificate of the provider port, token.keys, admin.token"
                                    : "certificate of the provider port, token.keys";
}

absl::Status MakeFleet(const Flags& flags, const std::vector<std::string>& names,
                       CommandContext* context) {
  FleetOptions options = flags.fleet_options;
  options.server_names = names;
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<FleetDaemon> daemons,
                            InitFleet(flags.data_dir, options, context->clock->WallNow()));
  Terminal& out = *context->terminal;
  if (out.json()) {
    nlohmann::ordered_json json = {{"fleet", flags.data_dir},
                                   {"server_names", names},
                                   {"daemons", nlohmann::ordered_json::array()}};
    for (const FleetDaemon& daemon : daemons) {
      json["daemons"].push_back({{"data_dir", absl::StrCat(flags.data_dir, "/", daemon.name)},
                                 {"role", std::string(RoleName(daemon.role))},
                                 {"made", daemon.made}});
    }
    out.Json(json);
    return absl::OkStatus();
  }
  out.Line(absl::StrCat(out.Good("ready"), "  the fleet ", out.Bold(flags.data_dir)));
  out.Line();
  std::vector<std::pair<std::string, std::string>> fields = {
      {"authority/",
       "issues certificates: keep it here. Clients trust its ca.pem: give them that"}};
  for (const FleetDaemon& daemon : daemons) {
    fields.emplace_back(absl::StrCat(daemon.name, "/"),
                        absl::StrCat(HoldsOf(daemon), daemon.made ? "" : " (as it was)"));
  }
  out.Fields(fields);
  out.Line();
  out.Line(
      "next: copy each directory to its daemon's machine, over a way that keeps secrets, and "
      "start the daemon with it as --data_dir");
  return absl::OkStatus();
}

absl::Status Init(const Flags& flags, CommandContext* context) {
  const DataDir dir(flags.data_dir);
  const std::vector<std::string> names =
      flags.server_names.empty() ? DefaultServerNames() : flags.server_names;
  if (flags.fleet) return MakeFleet(flags, names, context);
  if (flags.repair) return MakeAgain(dir, names, flags, context);
  BELLWIRE_RETURN_IF_ERROR(InitDataDir(dir, names, context->clock->WallNow()));

  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json({{"data_dir", dir.path()},
              {"ca", dir.ca_certificate()},
              {"admin_token_file", dir.admin_token()},
              {"server_names", names}});
    return absl::OkStatus();
  }
  out.Line(absl::StrCat(out.Good("ready"), "  the data directory ", out.Bold(dir.path())));
  out.Line();
  out.Fields({{"ca.pem", "what providers and agents trust: give it to them"},
              {"ca.key", "issues further certificates: keep it to yourself"},
              {"server.pem", absl::StrCat("certificate for ", absl::StrJoin(names, ", "))},
              {"admin.token", "whoever has it manages teams, apps and keys"},
              {"token.keys", "seals device tokens: back it up, without it every token is void"},
              {"ticket.keys", "lets agents resume TLS sessions at all connectors of a fleet"},
              {"internal/", "certificates of the daemons among themselves"}});
  out.Line();
  out.Line(
      absl::StrCat("next: ", out.Bold(absl::StrCat("bellwire serve --data_dir ", dir.path()))));
  return absl::OkStatus();
}

}  // namespace

void AddInitCommand(CLI::App* root, CommandContext* context) {
  CLI::App* command = root->add_subcommand(
      "init", "Make the data directory of a new server: CA, certificates, keys, admin token");
  auto flags = std::make_shared<Flags>();
  command->add_option("--data_dir", flags->data_dir, "The directory to make")
      ->type_name("DIR")
      ->envname("BELLWIRE_DATA_DIR")
      ->required();
  command
      ->add_option("--server_name", flags->server_names,
                   "Host name or IP address that providers and agents connect to; repeatable "
                   "[localhost, 127.0.0.1, ::1 and the name of this host]")
      ->type_name("NAME");
  CLI::Option* repair = command->add_flag(
      "--repair", flags->repair,
      "Make again what is missing or empty in a directory that was made before; everything else "
      "stays");
  command
      ->add_flag("--new_token_keys", flags->new_token_keys,
                 "with --repair: replace lost token.keys, although every token dies with them")
      ->needs(repair);
  CLI::Option* fleet =
      command
          ->add_flag("--fleet", flags->fleet,
                     "Instead: make a directory for each daemon of a fleet, with no more in it "
                     "than that one needs. Once more with greater numbers it adds what is missing")
          ->excludes(repair);
  command
      ->add_option("--gateways", flags->fleet_options.gateways, "with --fleet: how many gateways")
      ->type_name("N")
      ->needs(fleet)
      ->check(CLI::Range(0, kMaxFleetDaemons).description(""))
      ->capture_default_str();
  command
      ->add_option("--connectors", flags->fleet_options.connectors,
                   "with --fleet: how many connectors")
      ->type_name("N")
      ->needs(fleet)
      ->check(CLI::Range(0, kMaxFleetDaemons).description(""))
      ->capture_default_str();
  command
      ->add_option("--from", flags->fleet_options.from,
                   "with --fleet: data directory whose CA, keys and admin token it takes over, so "
                   "that tokens and pins stay good")
      ->type_name("DIR")
      ->needs(fleet);
  AddJsonFlag(command, context);
  SetExamples(command,
              "  bellwire init --data_dir ./data\n"
              "  bellwire init --data_dir ./data --repair\n"
              "  bellwire init --fleet --data_dir ./fleet --server_name push.example.com "
              "--gateways 2 --connectors 3\n"
              "  bellwire init --data_dir /var/lib/bellwire --server_name push.example.com "
              "--server_name 203.0.113.7");
  command->callback([=] { context->run = [=] { return Init(*flags, context); }; });
}

}  // namespace bellwire::cli
