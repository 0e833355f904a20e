#include <memory>
#include <string>

#include "cli/command.h"
#include "cli/doctor/examination.h"
#include "cli/doctor/facts/gather.h"
#include "cli/doctor/report.h"
#include "cli/status/status_page.h"
#include "ops/main_support.h"

namespace bellwire::cli {
namespace {

absl::Status Show(const BoxFlags& flags, CommandContext* context) {
  const Facts facts = GatherFacts(flags, *context->clock);
  if (PartsOf(facts).empty()) {
    return WithHint(absl::NotFoundError("nothing of Bellwire is where it usually is on this box"),
                    "name the server's --data_dir or its --server, or the --socket of the agent");
  }
  const Findings findings = Examine(facts);
  if (context->terminal->json()) {
    context->terminal->Json(StatusJson(facts, findings));
  } else {
    PrintStatus(facts, findings, *context->terminal);
  }
  return absl::OkStatus();
}

}  // namespace

void AddStatusCommand(CLI::App* root, CommandContext* context) {
  CLI::App* command = root->add_subcommand(
      "status", "What runs on this box, what is wrong, and what to do next, on one page");
  auto flags = std::make_shared<BoxFlags>();
  AddBoxFlags(command, flags.get());
  AddJsonFlag(command, context);
  SetExamples(command,
              "  bellwire status\n"
              "  bellwire status --server push.example.com:7443 --ca ca.pem");
  command->callback([=] { context->run = [=] { return Show(*flags, context); }; });
}

}  // namespace bellwire::cli
