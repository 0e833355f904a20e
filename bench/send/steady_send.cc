// An app backend that sends at a fixed rate to the device tokens of a file (steady_sender.h). Reads
// commands from stdin, one a line, and answers each with a JSON object on stdout.
#include <iostream>
#include <string>
#include <utility>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "bench/send/provider.h"
#include "bench/send/requests.h"
#include "bench/send/steady_sender.h"
#include "grpcpp/create_channel.h"
#include "nlohmann/json.hpp"
#include "ops/main_support.h"

namespace bellwire::bench {
namespace {

constexpr char kCommands[] =
    R"(Commands, one a line on stdin; each is answered with one JSON object on stdout:
  report   how long the calls took that ended since the last report, and how many messages were
           answered OK
  stop     no new messages; answers as report does once every message was answered OK
The end of stdin ends it.)";
constexpr absl::Duration kStopTimeout = absl::Seconds(60);
constexpr int kPayloadBytes = 256;

struct Flags {
  ProviderFlags provider;
  double per_second = 0;
};

int Run(const Flags& flags) {
  auto provider = Provider::Read(flags.provider);
  if (!provider.ok()) {
    std::cerr << "steady_send: " << provider.status() << "\n";
    return 1;
  }
  Requests requests(std::move(provider->tokens), kPayloadBytes);
  SteadySender sender(grpc::CreateChannel(flags.provider.server, provider->channel_credentials),
                      provider->authorization, &requests, flags.per_second);
  for (std::string line; std::getline(std::cin, line);) {
    nlohmann::json answer = {{"error", absl::StrCat("there is no command ", line)}};
    if (line == "report") answer = sender.Report();
    if (line == "stop") answer = sender.Stop(kStopTimeout);
    std::cout << answer << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace bellwire::bench

int main(int argc, char** argv) {
  CLI::App app("steady_send: sends to the device tokens of a file at a fixed rate", "steady_send");
  bellwire::bench::Flags flags;
  bellwire::bench::AddProviderFlags(&app, &flags.provider);
  app.add_option("--per_second", flags.per_second, "Messages")
      ->check(CLI::Range(0.1, 10000.0))
      ->required();
  app.footer(bellwire::bench::kCommands);
  CLI11_PARSE(app, argc, argv);
  bellwire::SkipDeadlockDetection();
  return bellwire::bench::Run(flags);
}
