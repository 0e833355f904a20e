// tools/simulate: one run of the whole system from a seed.

#include <cstdint>
#include <iostream>
#include <string>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/str_format.h"
#include "common/log.h"
#include "tests/simulation/world.h"

int main(int argc, char** argv) {
  bellwire::simulation::WorldOptions options;
  options.devices = 1000;
  double days = 1;
  std::string log_level = "error";
  CLI::App app(
      "Simulates phones, apps, connectors, gateways, a registry and providers in one thread, with\n"
      "everything that goes wrong between them, from a seed. Exits with 1 and prints what led to "
      "it if a\n"
      "promise is broken: a message lost, shown twice, out of order or to another app, or with "
      "more or\n"
      "less than one end. The same numbers give the same run.",
      "tools/simulate");
  app.add_option("--seed", options.seed, "Decides everything")->capture_default_str();
  app.add_option("--days", days, "Simulated; seven hours follow in which nothing goes wrong")
      ->capture_default_str();
  app.add_option("--devices", options.devices)->capture_default_str();
  app.add_option("--apps", options.apps, "On each device")->capture_default_str();
  app.add_option("--connectors", options.connectors)->capture_default_str();
  app.add_option("--gateways", options.gateways)->capture_default_str();
  app.add_option("--messages", options.messages_per_day, "To each device, a day")
      ->capture_default_str();
  app.add_option("--faults", options.faults, "How often things go wrong; 0: never")
      ->capture_default_str();
  app.add_option("--directory", options.directory, "Where the phones' disks are made")
      ->capture_default_str();
  app.add_option("--log_level", log_level, "What the parts log: debug, info, warning or error")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  bellwire::LogLevel level;
  if (!bellwire::ParseLogLevel(log_level, &level)) {
    std::cerr << "no such log level: " << log_level << "\n";
    return 2;
  }
  bellwire::SetLogLevel(level);
  options.time = absl::Hours(24) * days;
  options.progress = [](const std::string& line) { std::cout << line << std::endl; };

  const bellwire::simulation::Report report = bellwire::simulation::RunWorld(options);
  std::cout << absl::StreamFormat(
      "seed %d: %d messages sent, %d accepted, %d refused, %d given up, %d shown\n", options.seed,
      report.counts.sent, report.counts.accepted, report.counts.refused, report.counts.unanswered,
      report.counts.shown);
  for (const auto& [step, count] : report.counts.ended) {
    std::cout << absl::StreamFormat("  %-14s %d\n", bellwire::push::v1::Step_Name(step), count);
  }
  std::cout << absl::StreamFormat(
      "  %d changes of activity, %d of the shown had waited, %d were timed\n",
      report.counts.activity_changes, report.counts.waited, report.counts.timed);
  std::cout << absl::StreamFormat(
      "  %d gap notices, %d recalls, %d receipts (%d of them again), %d dead tokens, %d uses of "
      "foreign tokens\n",
      report.counts.gaps, report.counts.recalls, report.counts.receipts,
      report.counts.repeated_receipts, report.counts.dead_tokens, report.counts.intrusions);
  std::cout << absl::StreamFormat("%d events, trace hash %016x\n", report.events,
                                  report.trace_hash);
  if (!report.violation.has_value()) return 0;
  std::cout << report.trace << "FAILED: " << report.violation->what << " (device "
            << report.violation->device << ")\n";
  return 1;
}
