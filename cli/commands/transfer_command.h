#ifndef BELLWIRE_CLI_COMMANDS_TRANSFER_COMMAND_H_
#define BELLWIRE_CLI_COMMANDS_TRANSFER_COMMAND_H_

#include "CLI/App.hpp"
#include "cli/command.h"

namespace bellwire::cli {

// `export` and `import`, below `bellwire registry`. As the functions of cli/command.h.
void AddTransferCommands(CLI::App* group, CommandContext* context);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_COMMANDS_TRANSFER_COMMAND_H_
