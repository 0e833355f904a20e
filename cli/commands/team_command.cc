#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "bellwire/admin/v1/admin.grpc.pb.h"
#include "cli/command.h"
#include "cli/commands/record_counts.h"
#include "cli/proto_render.h"
#include "cli/server_connection.h"
#include "common/printable.h"
#include "common/status_macros.h"

namespace bellwire::cli {
namespace {

using admin::v1::AdminService;

struct Flags : AdminFlags {
  std::string name;
  std::string team_id;
  std::string apns_store_one;
  bool dry_run = false;
};

absl::Status Create(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  admin::v1::CreateTeamRequest request;
  request.set_name(flags.name);
  admin::v1::Team team;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&AdminService::Stub::CreateTeam, request, &team));
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json(ToJson(team));
    return absl::OkStatus();
  }
  out.Line(absl::StrCat(out.Good("created"), "  team ", out.Bold(team.team_id()), "  ",
                        Printable(team.name())));
  out.Line(absl::StrCat("next: ", out.Bold(absl::StrCat("bellwire app create --team ",
                                                        team.team_id(), " com.example.mail"))));
  return absl::OkStatus();
}

absl::Status List(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  admin::v1::ListTeamsResponse response;
  BELLWIRE_RETURN_IF_ERROR(
      server.Call(&AdminService::Stub::ListTeams, admin::v1::ListTeamsRequest(), &response));
  Terminal& out = *context->terminal;
  std::vector<std::vector<std::string>> rows;
  for (const admin::v1::Team& team : response.teams()) {
    if (out.json()) out.Json(ToJson(team));
    rows.push_back(
        {team.team_id(), RenderTime(TimeOf(team.create_time())), Printable(team.name())});
  }
  if (out.json()) return absl::OkStatus();
  if (rows.empty()) {
    out.Line("no teams yet; make one with `bellwire team create NAME`");
  } else {
    out.Table({"TEAM", "CREATED", "NAME"}, rows);
  }
  return absl::OkStatus();
}

absl::Status Set(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  admin::v1::UpdateTeamRequest request;
  request.set_team_id(flags.team_id);
  request.set_apns_store_one(flags.apns_store_one == "on");
  admin::v1::Team team;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&AdminService::Stub::UpdateTeam, request, &team));
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json(ToJson(team));
  } else {
    out.Line(absl::StrCat(out.Good("changed"), "  team ", out.Bold(team.team_id()), "  ",
                          Printable(team.name()), ": apns_store_one is ",
                          team.apns_store_one() ? "on" : "off",
                          "; within 5 s every gateway goes by it"));
  }
  return absl::OkStatus();
}

absl::Status Delete(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  if (flags.dry_run) {
    admin::v1::CountRecordsRequest count;
    count.set_team_id(flags.team_id);
    return PrintRecordCounts(count, server, context);
  }
  admin::v1::DeleteTeamRequest request;
  request.set_team_id(flags.team_id);
  admin::v1::Team team;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&AdminService::Stub::DeleteTeam, request, &team));
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json(ToJson(team));
  } else {
    out.Line(absl::StrCat(out.Good("deleted"), "  team ", out.Bold(team.team_id()), "  ",
                          Printable(team.name()),
                          ", its apps and its keys: within 5 s no gateway takes them any more"));
    out.Line(absl::StrCat(
        "its messages, receipts and tokens are being taken away in the background; next: ",
        out.Bold(absl::StrCat("bellwire team delete --dry_run ", team.team_id())),
        " says what is left, and TEAM_NOT_FOUND once nothing is"));
  }
  return absl::OkStatus();
}

}  // namespace

void AddTeamCommand(CLI::App* root, CommandContext* context) {
  CLI::App* team =
      root->add_subcommand("team", "Teams: who owns apps and signing keys")->require_subcommand(1);
  auto flags = std::make_shared<Flags>();

  CLI::App* create =
      team->add_subcommand("create", "Make a team, and say which id it has and what comes next");
  create->add_option("NAME", flags->name, "For people, 1 to 64 bytes")->type_name("")->required();
  AddAdminFlags(create, flags.get());
  AddJsonFlag(create, context);
  SetExamples(create,
              "  bellwire team create \"Example Ltd\" --data_dir ./data\n"
              "  TEAM=$(bellwire team create \"Example Ltd\" --json | jq -r .team_id)");
  create->callback([=] { context->run = [=] { return Create(*flags, context); }; });

  CLI::App* list = team->add_subcommand("list", "Show every team");
  AddAdminFlags(list, flags.get());
  AddJsonFlag(list, context);
  SetExamples(list, "  bellwire team list --data_dir ./data --json");
  list->callback([=] { context->run = [=] { return List(*flags, context); }; });

  CLI::App* set = team->add_subcommand("set", "Change a setting of a team");
  set->add_option("TEAM", flags->team_id, "As `team list` shows it")->type_name("")->required();
  set->add_option(
         "--apns_store_one", flags->apns_store_one,
         "As APNs does: of what came through the APNs door without a collapse id, only the "
         "newest waits for an app on a phone. Off at first: all messages wait")
      ->type_name("on|off")
      ->check(CLI::IsMember({"on", "off"}))
      ->required();
  AddAdminFlags(set, flags.get());
  AddJsonFlag(set, context);
  SetExamples(set, "  bellwire team set TEAM --apns_store_one on --data_dir ./data");
  set->callback([=] { context->run = [=] { return Set(*flags, context); }; });

  CLI::App* remove = team->add_subcommand(
      "delete",
      "Delete a team and everything about it, for ever: its apps and keys at once, its messages, "
      "receipts, topics and tokens in the background. A Send to one of its tokens answers "
      "UNREGISTERED");
  remove->add_option("TEAM", flags->team_id, "As `team list` shows it")->type_name("")->required();
  AddDryRunFlag(remove, &flags->dry_run);
  AddAdminFlags(remove, flags.get());
  AddJsonFlag(remove, context);
  SetExamples(remove,
              "  bellwire team delete TEAM --dry_run --data_dir ./data\n"
              "  bellwire team delete TEAM --data_dir ./data");
  remove->callback([=] { context->run = [=] { return Delete(*flags, context); }; });
}

}  // namespace bellwire::cli
