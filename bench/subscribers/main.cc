// make-subscribers: see make_subscribers.h.

#include <cstdint>
#include <cstdio>
#include <string>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "bench/subscribers/make_subscribers.h"
#include "common/clock.h"
#include "common/log.h"
#include "ops/data_dir.h"

namespace bellwire::bench {
namespace {

int Main(int argc, char** argv) {
  SubscribersWanted wanted;
  std::string data_dir;
  CLI::App app("Devices that are subscribed to one topic, made in the store of a stopped server",
               "make-subscribers");
  app.add_option("--data_dir", data_dir, "Of the server")->required();
  app.add_option("--team", wanted.team_id, "Made if it is not there")->required();
  app.add_option("--app", wanted.app_id, "Made if it is not there")->required();
  app.add_option("--topic", wanted.topic)->required();
  app.add_option("--count", wanted.count, "How many devices")->required();
  app.add_option("--first", wanted.first, "Number of the first device")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  wanted.store = DataDir(data_dir).registry();

  SetLogLevel(LogLevel::kError);
  const MonotonicTime start = RealClock()->Monotonic();
  const absl::Status made = MakeSubscribers(wanted, *RealClock(), [&](uint64_t so_far) {
    if (so_far % 100'000 == 0) std::fprintf(stderr, "%lu\n", static_cast<unsigned long>(so_far));
  });
  if (!made.ok()) {
    std::fprintf(stderr, "make-subscribers: %s\n", std::string(made.message()).c_str());
    return 1;
  }
  const double seconds = absl::ToDoubleSeconds(RealClock()->Monotonic() - start);
  std::printf("{\"subscribers\": %lu, \"seconds\": %.1f}\n",
              static_cast<unsigned long>(wanted.count), seconds);
  return 0;
}

}  // namespace
}  // namespace bellwire::bench

int main(int argc, char** argv) { return bellwire::bench::Main(argc, argv); }
