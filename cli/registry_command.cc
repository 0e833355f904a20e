#include <unistd.h>

#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cli/command.h"
#include "common/status_macros.h"
#include "ops/data_dir.h"
#include "ops/main_support.h"
#include "registry/check/store_check.h"

namespace bellwire::cli {
namespace {

constexpr int kExitSound = 0;
constexpr int kExitProblems = 1;
constexpr int kExitNotChecked = 2;

// A check that takes longer than this says how far it is …
constexpr absl::Duration kPatience = absl::Seconds(2);
// … and again so often.
constexpr absl::Duration kProgressInterval = absl::Seconds(2);

struct Flags {
  std::string data_dir;
  std::string store;
};

// Lines on stderr: stdout is for the answer.
class Progress {
 public:
  explicit Progress(const Clock* clock) : clock_(*clock), next_(clock->Monotonic() + kPatience) {}

  void operator()(absl::string_view what, uint64_t done) {
    if (clock_.Monotonic() < next_) return;
    next_ = clock_.Monotonic() + kProgressInterval;
    std::cerr << "checking " << what << ": " << done << (what == "tables" ? " bytes" : "")
              << " so far" << std::endl;
  }

 private:
  const Clock& clock_;
  MonotonicTime next_;
};

void Print(const registry::StoreCheckReport& report, absl::Duration took, Terminal& out) {
  const registry::CheckReport& records = report.records;
  std::vector<std::pair<std::string, std::string>> fields = {
      {"table files", absl::StrCat(report.table_files, " (", report.table_bytes, " bytes)")}};
  for (size_t i = 0; report.opened && i < registry::kRecordKinds; ++i) {
    const auto kind = static_cast<registry::RecordKind>(i);
    if (kind == registry::RecordKind::kUnknown && records.counts[i] == 0) continue;
    fields.push_back({std::string(RecordKindName(kind)), absl::StrCat(records.counts[i])});
  }
  out.Fields(fields);
  out.Line();
  for (const registry::CheckProblem& problem : records.problems) {
    out.Line(absl::StrCat(out.Bad("problem"), "  ", out.Bold(problem.where), ": ", problem.what));
  }
  if (records.problem_count > records.problems.size()) {
    out.Line(absl::StrCat(out.Bad("problem"), "  ", records.problem_count - records.problems.size(),
                          " more"));
  }
  if (records.sound()) {
    out.Line(absl::StrCat(out.Good("sound"), "  ", records.records(), " records, checked in ",
                          RenderDuration(took)));
    return;
  }
  out.Line(absl::StrCat(
      "to do: keep a copy of the directory, look at the disk and the memory, and restore the "
      "backup: docs/operate/operations.md, \"A damaged store\""));
  out.Line(absl::StrCat(out.Bad("damaged"), "  ", records.problem_count, " problems",
                        report.opened ? ""
                                      : "; the store can't be opened, so its records were not "
                                        "looked at"));
}

nlohmann::ordered_json ToJson(const registry::StoreCheckReport& report) {
  nlohmann::ordered_json counts = nlohmann::ordered_json::object();
  for (size_t i = 0; i < registry::kRecordKinds; ++i) {
    counts[std::string(RecordKindName(static_cast<registry::RecordKind>(i)))] =
        report.records.counts[i];
  }
  nlohmann::ordered_json problems = nlohmann::ordered_json::array();
  for (const registry::CheckProblem& problem : report.records.problems) {
    problems.push_back({{"where", problem.where}, {"what", problem.what}});
  }
  return {{"sound", report.records.sound()},
          {"opened", report.opened},
          {"table_files", report.table_files},
          {"table_bytes", report.table_bytes},
          {"records", counts},
          {"problem_count", report.records.problem_count},
          {"problems", problems}};
}

absl::Status Check(const Flags& flags, CommandContext* context) {
  context->exit_when_failed = kExitNotChecked;
  if (flags.store.empty() && flags.data_dir.empty()) {
    return absl::InvalidArgumentError("which store? Name it: --data_dir DIR, or --store DIR");
  }
  const std::string directory =
      flags.store.empty() ? DataDir(flags.data_dir).registry() : flags.store;
  if (access(directory.c_str(), F_OK) != 0) {
    return WithHint(
        absl::NotFoundError(absl::StrCat("there is no store ", directory)),
        "--data_dir takes the server's DATA_DIR, and --store a directory like DATA_DIR/registry");
  }
  const MonotonicTime start = context->clock->Monotonic();
  Progress progress(context->clock);
  BELLWIRE_ASSIGN_OR_RETURN(
      const registry::StoreCheckReport report,
      registry::CheckStore({.directory = directory},
                           [&](absl::string_view what, uint64_t done) { progress(what, done); }));
  if (context->terminal->json()) {
    context->terminal->Json(ToJson(report));
  } else {
    Print(report, context->clock->Monotonic() - start, *context->terminal);
  }
  context->exit_when_done = report.records.sound() ? kExitSound : kExitProblems;
  return absl::OkStatus();
}

}  // namespace

void AddRegistryCommand(CLI::App* root, CommandContext* context) {
  CLI::App* group = root->add_subcommand("registry", "The registry's store, while nothing uses it");
  group->require_subcommand(1);
  CLI::App* check = group->add_subcommand(
      "check",
      "Verify the store: every byte of its files, and that its records fit to each other. Changes "
      "nothing. Exits with 0 if it is sound, 1 if it is damaged, 2 if it can't be checked (a "
      "server "
      "uses it, or it is none)");
  auto flags = std::make_shared<Flags>();
  check->add_option("--data_dir", flags->data_dir, "The server's data directory")
      ->type_name("DIR")
      ->envname("BELLWIRE_DATA_DIR");
  check
      ->add_option("--store", flags->store,
                   "Instead: the store's own directory, such as a copy of DATA_DIR/registry")
      ->type_name("DIR");
  AddJsonFlag(check, context);
  SetExamples(check,
              "  bellwire registry check --data_dir /var/lib/bellwire\n"
              "  bellwire registry check --store /backup/registry --json");
  check->callback([=] { context->run = [=] { return Check(*flags, context); }; });
}

}  // namespace bellwire::cli
