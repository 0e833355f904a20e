#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "bellwire/admin/v1/admin.grpc.pb.h"
#include "cli/command.h"
#include "cli/proto_render.h"
#include "cli/server_connection.h"
#include "common/status_macros.h"

namespace bellwire::cli {
namespace {

using admin::v1::AdminService;

struct Flags : AdminFlags {
  std::string team_id;
  std::string name;
  std::string token;
  std::string token_file;
};

// The one of the command line, the environment or the file; "-": standard input.
absl::StatusOr<std::string> TokenOf(const Flags& flags) {
  if (flags.token_file.empty()) {
    if (!flags.token.empty()) return flags.token;
    return absl::InvalidArgumentError("no token: name it, or give --token_file");
  }
  std::ifstream file;
  if (flags.token_file != "-") {
    file.open(flags.token_file);
    if (!file) {
      return absl::NotFoundError(absl::StrCat("can't read the token from ", flags.token_file));
    }
  }
  std::string line;
  std::getline(flags.token_file == "-" ? std::cin : file, line);
  const absl::string_view token = absl::StripAsciiWhitespace(line);
  if (token.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no token in the first line of ", flags.token_file));
  }
  return std::string(token);
}

absl::Status Create(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::string token, TokenOf(flags));
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  admin::v1::CreateAliasRequest request;
  request.set_team_id(flags.team_id);
  request.set_name(flags.name);
  request.set_token(token);
  admin::v1::Alias alias;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&AdminService::Stub::CreateAlias, request, &alias));
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json(ToJson(alias));
    return absl::OkStatus();
  }
  out.Line(absl::StrCat(out.Good("created"), "  alias ", out.Bold(alias.name()), " of team ",
                        alias.team_id()));
  out.Line(
      absl::StrCat("next: curl -d hello -H \"Authorization: Bearer bw_...\" "
                   "https://HOST/ntfy/",
                   alias.name()));
  return absl::OkStatus();
}

absl::Status List(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  admin::v1::ListAliasesRequest request;
  request.set_team_id(flags.team_id);
  admin::v1::ListAliasesResponse response;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&AdminService::Stub::ListAliases, request, &response));
  Terminal& out = *context->terminal;
  std::vector<std::vector<std::string>> rows;
  for (const admin::v1::Alias& alias : response.aliases()) {
    if (out.json()) out.Json(ToJson(alias));
    rows.push_back({alias.name(), RenderTime(TimeOf(alias.create_time())), alias.token()});
  }
  if (out.json()) return absl::OkStatus();
  if (rows.empty()) {
    out.Line(absl::StrCat("team ", flags.team_id,
                          " has no aliases yet; make one with `bellwire alias create ",
                          flags.team_id, " NAME TOKEN`"));
  } else {
    out.Table({"ALIAS", "CREATED", "TOKEN"}, rows);
  }
  return absl::OkStatus();
}

absl::Status Delete(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(ServerConnection server, ServerConnection::OpenAsAdmin(flags));
  admin::v1::DeleteAliasRequest request;
  request.set_team_id(flags.team_id);
  request.set_name(flags.name);
  admin::v1::Alias alias;
  BELLWIRE_RETURN_IF_ERROR(server.Call(&AdminService::Stub::DeleteAlias, request, &alias));
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json(ToJson(alias));
  } else {
    out.Line(absl::StrCat(out.Good("deleted"), "  alias ", out.Bold(alias.name()), " of team ",
                          alias.team_id(), ": within 5 s no gateway knows it any more"));
  }
  return absl::OkStatus();
}

}  // namespace

void AddAliasCommand(CLI::App* root, CommandContext* context) {
  CLI::App* alias =
      root->add_subcommand("alias", "Names of device tokens: the topics of the ntfy door")
          ->require_subcommand(1);
  auto flags = std::make_shared<Flags>();

  CLI::App* create = alias->add_subcommand("create", "Give a device token a name");
  create->add_option("TEAM", flags->team_id, "Id of the team")->type_name("")->required();
  create->add_option("NAME", flags->name, "1 to 64 characters of [a-z0-9_-]")
      ->type_name("")
      ->required();
  create->add_option("TOKEN", flags->token, "Device token of one of the team's apps")
      ->type_name("")
      ->envname("BELLWIRE_TOKEN");
  create
      ->add_option("--token_file", flags->token_file,
                   "Instead: its first line is the token; -: standard input")
      ->type_name("FILE");
  AddAdminFlags(create, flags.get());
  AddJsonFlag(create, context);
  SetExamples(create,
              "  bellwire alias create TEAM phone TOKEN --data_dir ./data\n"
              "  bellwire alias create TEAM phone --token_file - --data_dir ./data < token.txt");
  create->callback([=] { context->run = [=] { return Create(*flags, context); }; });

  CLI::App* list = alias->add_subcommand("list", "Show the aliases of a team");
  list->add_option("TEAM", flags->team_id, "Id of the team")->type_name("")->required();
  AddAdminFlags(list, flags.get());
  AddJsonFlag(list, context);
  SetExamples(list, "  bellwire alias list TEAM --data_dir ./data");
  list->callback([=] { context->run = [=] { return List(*flags, context); }; });

  CLI::App* remove =
      alias->add_subcommand("delete", "Take a name back. The token that it names stays good");
  remove->add_option("TEAM", flags->team_id, "Id of the team")->type_name("")->required();
  remove->add_option("NAME", flags->name, "As `alias list` shows it")->type_name("")->required();
  AddAdminFlags(remove, flags.get());
  AddJsonFlag(remove, context);
  SetExamples(remove, "  bellwire alias delete TEAM phone --data_dir ./data");
  remove->callback([=] { context->run = [=] { return Delete(*flags, context); }; });
}

}  // namespace bellwire::cli
