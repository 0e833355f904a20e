#include <map>
#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "bellwire/admin/v1/admin.grpc.pb.h"
#include "cli/command.h"
#include "cli/commands/record_counts.h"
#include "cli/proto_render.h"
#include "cli/server_connection.h"
#include "common/status_macros.h"

namespace bellwire::cli {
namespace {

using admin::v1::AdminService;

struct Flags : AdminFlags {
  std::string team_id;
  std::string app_id;
  std::string overflow = "drop_oldest";
  bool dry_run = false;
};

const std::map<std::string, admin::v1::OverflowPolicy>& OverflowPolicies() {
  static const auto& policies = *new std::map<std::string, admin::v1::OverflowPolicy>{
      {"drop_oldest", admin::v1::DROP_OLDEST},
      {"refuse_newest", admin::v1::REFUSE_NEWEST},
      {"drop_all", admin::v1::DROP_ALL}};
  return policies;
}

absl::Status Create(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  admin::v1::CreateAppRequest request;
  request.set_team_id(flags.team_id);
  request.set_app_id(flags.app_id);
  request.set_overflow_policy(OverflowPolicies().at(flags.overflow));
  admin::v1::App app;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&AdminService::Stub::CreateApp, request, &app));
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json(ToJson(app));
    return absl::OkStatus();
  }
  out.Line(absl::StrCat(out.Good("created"), "  app ", out.Bold(app.app_id()), " of team ",
                        app.team_id()));
  out.Line(absl::StrCat("next: ", out.Bold(absl::StrCat("bellwire key create --team ",
                                                        app.team_id(), " --out cred.json"))));
  return absl::OkStatus();
}

absl::Status List(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  admin::v1::ListAppsRequest request;
  request.set_team_id(flags.team_id);
  admin::v1::ListAppsResponse response;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&AdminService::Stub::ListApps, request, &response));
  Terminal& out = *context->terminal;
  std::vector<std::vector<std::string>> rows;
  for (const admin::v1::App& app : response.apps()) {
    if (out.json()) out.Json(ToJson(app));
    rows.push_back({app.app_id(), RenderTime(TimeOf(app.create_time())),
                    admin::v1::OverflowPolicy_Name(app.overflow_policy())});
  }
  if (out.json()) return absl::OkStatus();
  if (rows.empty()) {
    out.Line(absl::StrCat("team ", flags.team_id,
                          " has no apps yet; make one with `bellwire app "
                          "create APP_ID --team ",
                          flags.team_id, "`"));
  } else {
    out.Table({"APP", "CREATED", "WHEN THE MAILBOX IS FULL"}, rows);
  }
  return absl::OkStatus();
}

absl::Status Delete(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  if (flags.dry_run) {
    admin::v1::CountRecordsRequest count;
    count.set_app_id(flags.app_id);
    return PrintRecordCounts(count, server, context);
  }
  admin::v1::DeleteAppRequest request;
  request.set_app_id(flags.app_id);
  admin::v1::App app;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&AdminService::Stub::DeleteApp, request, &app));
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json(ToJson(app));
  } else {
    out.Line(absl::StrCat(out.Good("deleted"), "  app ", out.Bold(app.app_id()), " of team ",
                          app.team_id(), ": its tokens are dead"));
    out.Line(absl::StrCat(
        "its messages and receipts are being taken away in the background; next: ",
        out.Bold(absl::StrCat("bellwire app delete --dry_run ", app.app_id())),
        " says what is left, and UNKNOWN_APP once nothing is"));
  }
  return absl::OkStatus();
}

}  // namespace

void AddAppCommand(CLI::App* root, CommandContext* context) {
  CLI::App* app = root->add_subcommand("app", "Apps of a team")->require_subcommand(1);
  auto flags = std::make_shared<Flags>();

  CLI::App* create = app->add_subcommand("create", "Make an app, so that phones may register it");
  create->add_option("APP_ID", flags->app_id, "Reverse domain name, such as com.example.mail")
      ->type_name("")
      ->required();
  create->add_option("--team", flags->team_id, "Id of the team that owns it")
      ->type_name("ID")
      ->required();
  create->add_option("--overflow", flags->overflow, "What happens when 100 messages wait already")
      ->check(CLI::IsMember(&OverflowPolicies()))
      ->capture_default_str();
  AddAdminFlags(create, flags.get());
  AddJsonFlag(create, context);
  SetExamples(create, "  bellwire app create com.example.mail --team TEAM --data_dir ./data");
  create->callback([=] { context->run = [=] { return Create(*flags, context); }; });

  CLI::App* list = app->add_subcommand("list", "Show the apps of a team");
  list->add_option("--team", flags->team_id, "Id of the team")->type_name("ID")->required();
  AddAdminFlags(list, flags.get());
  AddJsonFlag(list, context);
  SetExamples(list, "  bellwire app list --team TEAM --data_dir ./data");
  list->callback([=] { context->run = [=] { return List(*flags, context); }; });

  CLI::App* remove = app->add_subcommand(
      "delete",
      "Delete an app and everything about it: at once no phone can register it, and a Send to one "
      "of its tokens answers UNREGISTERED; its messages, receipts and tokens go in the "
      "background. An app that is created under the id later has other tokens");
  remove->add_option("APP_ID", flags->app_id, "As `app list` shows it")->type_name("")->required();
  AddDryRunFlag(remove, &flags->dry_run);
  AddAdminFlags(remove, flags.get());
  AddJsonFlag(remove, context);
  SetExamples(remove,
              "  bellwire app delete com.example.mail --dry_run --data_dir ./data\n"
              "  bellwire app delete com.example.mail --data_dir ./data");
  remove->callback([=] { context->run = [=] { return Delete(*flags, context); }; });
}

}  // namespace bellwire::cli
