// device_load: thousands of devices in one process, for tools/bench.

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <string>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/string_view.h"
#include "bench/load/device_protocol.h"
#include "bench/load/load_session.h"
#include "bench/load/mqtt_protocol.h"
#include "bench/load/plain_protocol.h"
#include "common/clock.h"
#include "net/loop/epoll_loop.h"
#include "ops/main_support.h"

namespace bellwire::bench {
namespace {

constexpr char kCommands[] =
    R"(Commands, one a line on stdin; each is answered with one JSON object on stdout, "error" in it
if it failed:
  servers to=IP:PORT,...           where to connect; members are spread over them
  connect count=N [at_once=32] [resume=0]
                                   brings N members up, at_once of them at a time, and answers when
                                   all are logged in
  reconnect [on=1] [resume=1] [at_once=32]
                                   from now on who loses its connection comes back, when the server
                                   said or as agents do, to the next server
  await [ready=N] [losses=N] [messages=N]
                                   answers when there are so many; losses and messages since the
                                   last reset
  heartbeats count=N per_second=N  sends them, one member after the other; answers when all are
                                   answered
  register app=ID tokens=FILE      gets each member a token of the app, a line each
  register vapid_key=KEY tokens=FILE
                                   the same of a subscription, bound to that key (base64url); empty:
                                   to none
  counts [reset=0]                 what happened so far
  abort                            resets all connections
All of those that wait take timeout_s=300. The end of stdin ends it.)";

std::unique_ptr<LoadProtocol> NewProtocol(absl::string_view name) {
  if (name == "mqtt") {
    return std::make_unique<MqttProtocol>(RealClock(), MqttSession::kClean);
  }
  if (name == "mqtt_durable") {
    return std::make_unique<MqttProtocol>(RealClock(), MqttSession::kDurable);
  }
  if (name == "plain") return std::make_unique<PlainProtocol>(RealClock());
  return std::make_unique<DeviceProtocol>(RealClock());
}

// Reads commands until the end of stdin.
void Serve(LoadProtocol* protocol) {
  net::EpollLoop loop(RealClock());
  TlsSwarm swarm(&loop, protocol, {.alpn = protocol->alpn()});
  LoadSession session(&loop, protocol, &swarm, [](const nlohmann::json& answer) {
    std::cout << answer.dump() << std::endl;
  });
  fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
  std::string received;
  net::FdWatch commands(&loop, [&](uint32_t) {
    char buffer[4096];
    ssize_t n;
    while ((n = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0) {
      received.append(buffer, static_cast<size_t>(n));
    }
    for (size_t end; (end = received.find('\n')) != std::string::npos;) {
      session.OnLine(absl::string_view(received).substr(0, end));
      received.erase(0, end + 1);
    }
    if (n == 0) loop.Stop();
  });
  if (const absl::Status watched = commands.Start(STDIN_FILENO); !watched.ok()) {
    std::cerr << "device_load: stdin must be a pipe: " << watched << '\n';
    return;
  }
  loop.Run();
}

}  // namespace
}  // namespace bellwire::bench

int main(int argc, char** argv) {
  CLI::App app("device_load: thousands of devices on one thread, for tools/bench", "device_load");
  std::string protocol = "bellwire";
  app.add_option("--protocol", protocol,
                 "What the members speak: bellwire, mqtt with clean or with durable sessions, or "
                 "plain TLS")
      ->check(CLI::IsMember({"bellwire", "mqtt", "mqtt_durable", "plain"}))
      ->capture_default_str();
  app.footer(bellwire::bench::kCommands);
  CLI11_PARSE(app, argc, argv);
  signal(SIGPIPE, SIG_IGN);
  bellwire::RaiseDescriptorLimit();
  bellwire::bench::Serve(bellwire::bench::NewProtocol(protocol).get());
  return 0;
}
