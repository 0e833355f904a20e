#include "cli/command.h"

#include "absl/strings/str_cat.h"

namespace bellwire::cli {

void SetExamples(CLI::App* command, const std::string& examples) {
  command->footer(absl::StrCat("Examples:\n", examples));
}

void AddJsonFlag(CLI::App* command, CommandContext* context) {
  command->add_flag("--json", context->json, "Answer with JSON, one value a line, for scripts");
}

}  // namespace bellwire::cli
