#ifndef BELLWIRE_CLI_COMMANDS_REGISTRY_KEY_COMMAND_H_
#define BELLWIRE_CLI_COMMANDS_REGISTRY_KEY_COMMAND_H_

#include "CLI/App.hpp"
#include "cli/command.h"

namespace bellwire::cli {

// Adds `key create`, `key rotate` and `key status` to `bellwire registry`. As the functions of
// cli/command.h.
void AddRegistryKeyCommand(CLI::App* registry, CommandContext* context);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_COMMANDS_REGISTRY_KEY_COMMAND_H_
