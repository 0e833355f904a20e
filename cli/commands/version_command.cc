#include "absl/strings/str_cat.h"
#include "cli/command.h"
#include "common/version.h"

namespace bellwire::cli {

void AddVersionCommand(CLI::App* root, CommandContext* context) {
  CLI::App* command = root->add_subcommand("version", "Print the version");
  AddJsonFlag(command, context);
  SetExamples(command, "  bellwire version --json");
  command->callback([=] {
    context->run = [=] {
      Terminal& out = *context->terminal;
      if (out.json()) {
        out.Json({{"version", kVersion}});
      } else {
        out.Line(absl::StrCat("bellwire ", kVersion));
      }
      return absl::OkStatus();
    };
  });
}

}  // namespace bellwire::cli
