#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cli/command.h"
#include "cli/top/top_page.h"
#include "cli/top/top_screen.h"
#include "ops/overview/watch.h"
#include "common/error.h"
#include "ops/main_support.h"

namespace bellwire::cli {
namespace {

// Where docs/operate/metrics.md lets a server show its metrics.
constexpr char kUsualAddress[] = "127.0.0.1:9464";
// Of --once: between the two looks that rates need.
constexpr absl::Duration kOnceInterval = absl::Seconds(1);

struct Flags {
  std::vector<std::string> addresses = {kUsualAddress};
  bool once = false;
  int interval_seconds = 2;
};

std::string Paint(const TopLine& line, const Terminal& out) {
  switch (line.style) {
    case TopStyle::kBold:
      return out.Bold(line.text);
    case TopStyle::kDim:
      return out.Dim(line.text);
    case TopStyle::kGood:
      return out.Good(line.text);
    case TopStyle::kBad:
      return out.Bad(line.text);
    case TopStyle::kPlain:
      return line.text;
  }
  return line.text;
}

absl::Status ShowOnce(metrics::Watch* watch, CommandContext* context) {
  constexpr size_t kColumns = 80;
  metrics::Look look = watch->Next();
  // Nobody has to wait for rates of what does not answer.
  if (look.all.sessions.has_value() || !look.all.version.empty()) {
    absl::SleepFor(kOnceInterval);
    look = watch->Next();
  }
  if (context->terminal->json()) {
    context->terminal->Json(metrics::ToJson(look));
  } else {
    for (const TopLine& line : RenderTop(look, kColumns, absl::LocalTimeZone())) {
      context->terminal->Line(Paint(line, *context->terminal));
    }
  }
  for (const metrics::ProgramLook& program : look.programs) {
    if (program.error.empty()) return absl::OkStatus();
  }
  return WithHint(MakeError(absl::StatusCode::kUnavailable, "NOT_REACHED",
                            absl::StrCat("no program answers: ", look.programs[0].error)),
                  "start the server with --metrics_listen, and name that address with --metrics");
}

absl::Status Show(const Flags& flags, CommandContext* context) {
  if (flags.addresses.empty() || flags.addresses.size() > metrics::kMaxWatchedPrograms) {
    return MakeError(absl::StatusCode::kInvalidArgument, "BAD_ADDRESS",
                     absl::StrCat("name 1 to ", metrics::kMaxWatchedPrograms, " addresses"));
  }
  metrics::Watch watch(flags.addresses, context->clock);
  if (flags.once || context->terminal->json()) return ShowOnce(&watch, context);
  return RunTopScreen(&watch, absl::Seconds(flags.interval_seconds));
}

}  // namespace

void AddTopCommand(CLI::App* root, CommandContext* context) {
  CLI::App* command = root->add_subcommand(
      "top", "Phones, rates, latencies and what is wrong, live, from the metrics of programs");
  auto flags = std::make_shared<Flags>();
  command
      ->add_option("--metrics", flags->addresses,
                   "Where programs show their metrics (--metrics_listen): several are added up")
      ->type_name("ADDRESS,...")
      ->delimiter(',')
      ->capture_default_str();
  command->add_flag("--once", flags->once, "Look once, and print it");
  command->add_option("--interval_seconds", flags->interval_seconds, "From one look to the next")
      ->type_name("N")
      ->check(CLI::Range(1, 3600).description(""))
      ->capture_default_str();
  AddJsonFlag(command, context);
  SetExamples(command,
              "  bellwire top\n"
              "  bellwire top --metrics gateway-1:9464,gateway-2:9464,registry:9464\n"
              "  bellwire top --once --json | jq .all.sessions");
  command->callback([=] { context->run = [=] { return Show(*flags, context); }; });
}

}  // namespace bellwire::cli
