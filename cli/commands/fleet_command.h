#ifndef BELLWIRE_CLI_COMMANDS_FLEET_COMMAND_H_
#define BELLWIRE_CLI_COMMANDS_FLEET_COMMAND_H_

#include "CLI/App.hpp"
#include "cli/command.h"

namespace bellwire::cli {

// As the functions of cli/command.h.
void AddFleetCommand(CLI::App* root, CommandContext* context);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_COMMANDS_FLEET_COMMAND_H_
