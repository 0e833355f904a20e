#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/command.h"
#include "cli/doctor/examination.h"
#include "cli/doctor/facts/gather.h"
#include "cli/doctor/report.h"
#include "ops/main_support.h"

namespace bellwire::cli {
namespace {

constexpr int kExitProblem = 1;
// There was nothing to look at.
constexpr int kExitNothing = 2;

absl::Status Diagnose(const BoxFlags& flags, CommandContext* context) {
  const Facts facts = GatherFacts(flags, *context->clock);
  const std::vector<std::string> parts = PartsOf(facts);
  if (parts.empty()) {
    context->exit_when_failed = kExitNothing;
    return WithHint(absl::NotFoundError("nothing of Bellwire is where it usually is on this box"),
                    "name the server's --data_dir, or the --socket of the agent");
  }
  const Findings findings = Examine(facts);
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json(DoctorJson(facts, findings));
  } else {
    PrintFindings(findings, out);
    if (!findings.empty()) out.Line();
    const std::string looked_at = absl::StrCat("looked at: ", absl::StrJoin(parts, ", "));
    out.Line(findings.empty()
                 ? absl::StrCat(out.Good("healthy"), "  ", looked_at)
                 : absl::StrCat(findings.size(),
                                findings.size() == 1 ? " finding; " : " findings; ", looked_at));
  }
  const bool is_broken = !findings.empty() && findings[0].severity == Severity::kProblem;
  context->exit_when_done = is_broken ? kExitProblem : 0;
  return absl::OkStatus();
}

}  // namespace

void AddDoctorCommand(CLI::App* root, CommandContext* context) {
  CLI::App* command = root->add_subcommand(
      "doctor",
      "What is wrong on this box, with server, agent and companion, and what to do about it. "
      "Changes "
      "nothing. Exits with 0 (healthy, or warnings only), 1 (there is a problem) or 2 (there is "
      "nothing to look at)");
  auto flags = std::make_shared<BoxFlags>();
  AddBoxFlags(command, flags.get());
  AddJsonFlag(command, context);
  SetExamples(command,
              "  bellwire doctor\n"
              "  bellwire doctor --data_dir /var/lib/bellwire\n"
              "  bellwire doctor --json | jq -r '.findings[].cause'");
  command->callback([=] { context->run = [=] { return Diagnose(*flags, context); }; });
}

}  // namespace bellwire::cli
