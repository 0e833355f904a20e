#ifndef BELLWIRE_OPS_HELP_JSON_H_
#define BELLWIRE_OPS_HELP_JSON_H_

#include <string>

#include "CLI/App.hpp"

namespace bellwire {

// As the only argument: prints HelpAsJson. Not in --help, as it is for programs.
inline constexpr char kHelpJsonFlag[] = "--help_json";

// What --help says, of a program and all its commands, for programs that make pages and shell
// completions of it (tools/help_pages). An object of name, description, footer, options and
// commands; the latter are such objects again. An option has names, positional, type, description,
// default, environment, required, repeated and flag. Thread-safe.
std::string HelpAsJson(const CLI::App& app);

}  // namespace bellwire

#endif  // BELLWIRE_OPS_HELP_JSON_H_
