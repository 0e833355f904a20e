#ifndef BELLWIRE_CLI_COMMAND_H_
#define BELLWIRE_CLI_COMMAND_H_

#include <functional>
#include <string>

#include "CLI/App.hpp"
#include "absl/status/status.h"
#include "cli/terminal.h"
#include "common/clock.h"

// A command of `bellwire` is a file NAME_command.cc with one function that adds it, its flags and
// its help to the parser. Parsing only notes what to run; main() runs it.
namespace bellwire::cli {

struct CommandContext {
  const Clock* clock;
  Terminal* terminal;
  // Set by the command that was named: does the work, and prints the answer to `terminal`.
  std::function<absl::Status()> run;
  // Whether --json was given.
  bool json = false;
  // What the program exits with after the work was done, and after it failed: a command that
  // answers a question with its exit code says so in its --help. As in ops/main_support.h. An
  // answer that could not be written counts as failed.
  int exit_when_done = 0;
  int exit_when_failed = 1;
};

// The examples at the end of a command's --help.
void SetExamples(CLI::App* command, const std::string& examples);

// --json, for commands that answer something.
void AddJsonFlag(CLI::App* command, CommandContext* context);

// `context` must outlive the parse and the run.
void AddInitCommand(CLI::App* root, CommandContext* context);
void AddCertCommand(CLI::App* root, CommandContext* context);
void AddServeCommand(CLI::App* root, CommandContext* context);
void AddTeamCommand(CLI::App* root, CommandContext* context);
void AddAppCommand(CLI::App* root, CommandContext* context);
void AddKeyCommand(CLI::App* root, CommandContext* context);
void AddDeviceCommand(CLI::App* root, CommandContext* context);
void AddAliasCommand(CLI::App* root, CommandContext* context);
void AddQuotaCommand(CLI::App* root, CommandContext* context);
void AddSendCommand(CLI::App* root, CommandContext* context);
void AddRecallCommand(CLI::App* root, CommandContext* context);
void AddTraceCommand(CLI::App* root, CommandContext* context);
void AddTopicCommand(CLI::App* root, CommandContext* context);
void AddReceiptsCommand(CLI::App* root, CommandContext* context);
void AddListenCommand(CLI::App* root, CommandContext* context);
void AddAgentCommand(CLI::App* root, CommandContext* context);
void AddCompanionCommand(CLI::App* root, CommandContext* context);
void AddConfigCommand(CLI::App* root, CommandContext* context);
void AddReloadCommand(CLI::App* root, CommandContext* context);
void AddStatusCommand(CLI::App* root, CommandContext* context);
void AddDoctorCommand(CLI::App* root, CommandContext* context);
void AddTopCommand(CLI::App* root, CommandContext* context);
void AddRegistryCommand(CLI::App* root, CommandContext* context);
void AddAdminCommand(CLI::App* root, CommandContext* context);
void AddAuditCommand(CLI::App* root, CommandContext* context);
void AddVersionCommand(CLI::App* root, CommandContext* context);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_COMMAND_H_
