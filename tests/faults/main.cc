// tools/faults: the long run of tests/faults.

#include <iostream>
#include <optional>
#include <string>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "tests/faults/storm.h"

int main(int argc, char** argv) {
  bellwire::tests::StormOptions options;
  options.kills = 1000;
  options.power_cuts = 100;
  options.messages = 1'000'000;
  options.phones = 20;
  options.apps_per_phone = 8;
  options.senders = 4;
  int64_t interval_ms = 500;
  CLI::App app(
      "Kills real processes of Bellwire with SIGKILL, and cuts the power of its registry, at "
      "random\n"
      "moments under a steady load; compares what was answered OK with what apps received. Exits "
      "with 1\n"
      "if a message was lost, shown twice or shown out of order.",
      "tools/faults");
  app.add_option("--kills", options.kills, "Kills, power cuts among them")->capture_default_str();
  app.add_option("--power-cuts", options.power_cuts, "Power cuts")->capture_default_str();
  app.add_option("--messages", options.messages, "Messages answered OK")->capture_default_str();
  app.add_option("--seed", options.seed, "Who is killed when, and what a power cut leaves")
      ->capture_default_str();
  app.add_option("--phones", options.phones, "Agents")->capture_default_str();
  app.add_option("--apps", options.apps_per_phone, "Apps on each phone")->capture_default_str();
  app.add_option("--senders", options.senders, "App backends that send at a time")
      ->capture_default_str();
  app.add_option("--interval-ms", interval_ms, "Mean time between two kills")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  options.kill_interval = absl::Milliseconds(interval_ms);
  options.progress = [](const std::string& line) { std::cout << line << std::endl; };

  const auto report = bellwire::tests::RunStorm(options);
  if (!report.ok()) {
    std::cerr << "FAILED: " << report.status() << "\n";
    return 1;
  }
  std::cout << "seed " << options.seed << "\n" << report->ToString();
  return report->violations.empty() ? 0 : 1;
}
