#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "bench/battery/report.h"
#include "bench/battery/scenario.h"
#include "bench/battery/simulation.h"
#include "common/clock.h"
#include "common/log.h"

namespace bellwire::bench {
namespace {

bool WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  if (file.good()) return true;
  std::fprintf(stderr, "simulate-battery: can't write %s\n", path.c_str());
  return false;
}

int Main(int argc, char** argv) {
  Report report = {.days = 28, .seed = 1};
  std::string only;
  std::string json_path;
  std::string svg_path;
  CLI::App app(
      "Days of virtual time over mixes of networks: what heartbeats cost, and what they miss; "
      "Bellwire's policy beside others (docs/internals/heartbeat.md)",
      "simulate-battery");
  app.add_option("--days", report.days, "Virtual days per run")
      ->check(CLI::Range(2, 3650))
      ->capture_default_str();
  app.add_option("--seed", report.seed, "Messages, outages and jitter follow from it")
      ->capture_default_str();
  app.add_option("--scenario", only, "Only those whose name contains this");
  app.add_option("--json", json_path, "Write the numbers here")->type_name("FILE");
  app.add_option("--svg", svg_path, "Write a plot here")->type_name("FILE");
  CLI11_PARSE(app, argc, argv);

  SetLogLevel(LogLevel::kError);
  const MonotonicTime start = RealClock()->Monotonic();
  const bool progress = isatty(STDERR_FILENO) != 0;
  for (const Scenario& scenario : StandardScenarios()) {
    if (scenario.name.find(only) == std::string::npos) continue;
    Section& section = report.sections.emplace_back(Section{.scenario = scenario.name});
    for (const Contender& contender : AllContenders()) {
      if (progress && RealClock()->Monotonic() - start > absl::Seconds(2)) {
        std::fprintf(stderr, "\r\033[K%s: %s", scenario.name.c_str(), contender.name.c_str());
      }
      section.rows.push_back(
          {contender.name, Simulate(scenario, contender, report.days, report.seed)});
    }
  }
  if (progress) std::fprintf(stderr, "\r\033[K");
  if (report.sections.empty()) {
    std::fprintf(stderr, "simulate-battery: no scenario is called \"%s\"; there are:\n",
                 only.c_str());
    for (const Scenario& scenario : StandardScenarios()) {
      std::fprintf(stderr, "  %s\n", scenario.name.c_str());
    }
    return 2;
  }
  std::fputs(Table(report).c_str(), stdout);
  if (!json_path.empty() && !WriteFile(json_path, Json(report))) return 1;
  if (!svg_path.empty() && !WriteFile(svg_path, Svg(report))) return 1;
  return 0;
}

}  // namespace
}  // namespace bellwire::bench

int main(int argc, char** argv) { return bellwire::bench::Main(argc, argv); }
