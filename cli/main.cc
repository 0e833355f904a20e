// The command `bellwire`. See command.h for how the commands fit in.
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "cli/command.h"
#include "cli/commands/fleet_command.h"
#include "cli/secret_arguments.h"
#include "cli/terminal.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/version.h"
#include "ops/core_dumps.h"
#include "ops/main_support.h"

namespace bellwire::cli {
namespace {

int Main(int argc, char** argv) {
  // Commands hold payloads, tokens and keys too; `serve` has a flag.
  SetCoreDumps(false);
  std::vector<std::string> arguments =
      TakeArguments(argc, argv, {"--token", "--text", "--encrypt_to"});
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  CLI::App root(
      "Bellwire: a self-hosted push gateway. One long connection per phone, one gRPC call per "
      "push.",
      "bellwire");
  root.require_subcommand(1);
  root.get_formatter()->column_width(34);
  root.set_version_flag("--version", std::string(kVersion));
  root.footer(
      "A first push:\n"
      "  bellwire init --data_dir ./data              once\n"
      "  bellwire serve --data_dir ./data             the server; leave it running\n"
      "  bellwire-agent --server localhost:7444 --ca ./data/ca.pem ...   the phone's daemon\n"
      "  export BELLWIRE_DATA_DIR=./data\n"
      "  bellwire team create \"Example Ltd\"           says what TEAM is\n"
      "  bellwire app create com.example.mail --team TEAM\n"
      "  bellwire key create --team TEAM --out cred.json\n"
      "  bellwire listen --app com.example.mail       an app; says what TOKEN is\n"
      "  bellwire send --token TOKEN --text hello --credentials cred.json\n"
      "\n"
      "`bellwire COMMAND --help` explains each.");

  Terminal terminal = Terminal::ForStdout();
  CommandContext context{.clock = RealClock(), .terminal = &terminal, .run = nullptr};
  AddInitCommand(&root, &context);
  AddCertCommand(&root, &context);
  AddServeCommand(&root, &context);
  AddTeamCommand(&root, &context);
  AddAppCommand(&root, &context);
  AddKeyCommand(&root, &context);
  AddAliasCommand(&root, &context);
  AddQuotaCommand(&root, &context);
  AddDeviceCommand(&root, &context);
  AddSendCommand(&root, &context);
  AddRecallCommand(&root, &context);
  AddTraceCommand(&root, &context);
  AddTopicCommand(&root, &context);
  AddReceiptsCommand(&root, &context);
  AddListenCommand(&root, &context);
  AddAgentCommand(&root, &context);
  AddCompanionCommand(&root, &context);
  AddConfigCommand(&root, &context);
  AddReloadCommand(&root, &context);
  AddStatusCommand(&root, &context);
  AddDoctorCommand(&root, &context);
  AddTopCommand(&root, &context);
  AddRegistryCommand(&root, &context);
  AddAdminCommand(&root, &context);
  AddAuditCommand(&root, &context);
  AddFleetCommand(&root, &context);
  AddVersionCommand(&root, &context);
  // An empty text is a message without payload.
  if (std::optional<int> exit_code = ParseFlags(&root, argc, pointers.data(), {"--text"})) {
    return *exit_code;
  }

  terminal.set_json(context.json);
  SilenceGrpcLog();
  SetLogLevel(LogLevel::kWarning);  // `serve` sets its own.
  absl::Status status = context.run();
  // Whoever reads the answer has not got it, and can't know what was done.
  if (status.ok() && !terminal.status().ok()) {
    status = WithHint(terminal.status(), "what was asked for was done; only the answer is lost");
  }
  if (status.ok()) return context.exit_when_done;
  if (context.json) {
    Terminal(&std::cerr, /*colour=*/false).Json(ErrorToJson(status));
  } else {
    ReportFailure(status);
  }
  return context.exit_when_failed;
}

}  // namespace
}  // namespace bellwire::cli

int main(int argc, char** argv) { return bellwire::cli::Main(argc, argv); }
