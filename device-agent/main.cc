#include <sys/prctl.h>
#include <sys/stat.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/time/time.h"
#include "device-agent/core/agent.h"
#include "ops/main_support.h"
#include "ops/metrics/daemon_metrics.h"
#include "ops/service_manager.h"

namespace bellwire {
namespace {

constexpr char kFooter[] = R"(Example:
  bellwire-agent --server push.example.com:7444 --ca ca.pem

It keeps one connection to the server for all apps of this phone; apps connect to --socket
(docs/reference/agent_protocol.md). In --state_dir are the key of the device, device.key, which is
its identity, inbox.db, the messages that apps have not taken yet, and networks.state, how long each
network lets a connection be silent. See how it is: bellwire agent status)";

int Main(int argc, char** argv) {
  agent::AgentOptions options;
  options.state_dir = "/var/lib/bellwire-agent";
  options.socket_path = "/run/bellwire/agent.sock";
  std::string socket_mode = "0666";
  int heartbeat_seconds = 0;
  int reconnect_max_seconds = static_cast<int>(absl::ToInt64Seconds(options.reconnect_max));
  DaemonFlags flags;

  CLI::App app("bellwire-agent: one connection to the push server for all apps of a phone",
               "bellwire-agent");
  app.footer(kFooter);
  app.add_option(
         "--server", options.servers,
         "Device port of a connector, HOST:PORT; repeat it for more, which are tried in turn")
      ->required()
      ->type_name("HOST:PORT");
  CLI::Option* ca = app.add_option("--ca", options.ca_path,
                                   "Trust servers whose certificate this authority issued (PEM)")
                        ->type_name("FILE");
  app.add_option(
         "--pin", options.pin_sha256_hex,
         "Trust the server whose public key has this SHA-256 (of its SubjectPublicKeyInfo), hex")
      ->type_name("SHA256")
      ->excludes(ca);
  app.add_option("--server_name", options.server_name,
                 "Name that the server's certificate must carry (default: the host of --server)")
      ->type_name("NAME");
  app.add_option("--state_dir", options.state_dir,
                 "Key of the device and its inbox; made if missing")
      ->capture_default_str();
  CLI::Option* token =
      app.add_option("--enrolment_token", options.enrolment_token,
                     "Lets this phone in at a server that takes enrolled devices only; `bellwire "
                     "device enroll` prints it, and `bellwire agent enroll` takes it too")
          ->type_name("TOKEN")
          ->envname("BELLWIRE_ENROLMENT_TOKEN");
  app.add_option("--device_certificate", options.device_certificate_path,
                 "The same by a certificate for this phone's device.key, of an authority that the "
                 "server takes (--device_ca): a PEM file")
      ->type_name("FILE")
      ->excludes(token);
  app.add_option("--socket", options.socket_path, "Where apps connect")->capture_default_str();
  app.add_option("--socket_mode", socket_mode,
                 "Who may connect, octal; for which app it may speak is decided by its user id")
      ->capture_default_str();
  app.add_option(
         "--policy", options.policy_path,
         "Pins app ids to users, programs or sandboxes (docs/operate/agent.md); read again at "
         "SIGHUP")
      ->type_name("FILE");
  app.add_option(
         "--start_app_hook", options.start_app_hook,
         "Program that starts an app which is not running and has messages; run with the app "
         "id (docs/operate/agent.md)")
      ->type_name("PROGRAM");
  CLI::Option* heartbeat =
      app.add_option("--heartbeat_seconds", heartbeat_seconds,
                     "Silence after which a heartbeat is sent, within the bounds that the server "
                     "sets (default: learned, network by network)")
          ->check(CLI::Range(1, 3600));
  bool no_network_reports = false;
  app.add_flag(
      "--no_network_reports", no_network_reports,
      "Don't tell the server how long silence a network allows (it is told a digest of the "
      "gateway's address), and take no hints from it");
  app.add_option("--reconnect_max_seconds", reconnect_max_seconds,
                 "Longest wait between two attempts to reach a server")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  metrics::MetricsFlags metrics_flags;
  metrics::AddMetricsFlags(&app, &metrics_flags, /*local_only=*/true);
  AddDaemonFlags(&app, &flags);
  if (std::optional<int> exit_code = ParseFlags(&app, argc, argv)) return *exit_code;

  if (heartbeat->count() > 0) options.heartbeat_interval = absl::Seconds(heartbeat_seconds);
  options.share_networks = !no_network_reports;
  options.reconnect_max = absl::Seconds(reconnect_max_seconds);
  size_t parsed = 0;
  options.socket_mode = 0;
  for (; parsed < socket_mode.size() && socket_mode[parsed] >= '0' && socket_mode[parsed] <= '7';
       ++parsed) {
    options.socket_mode = options.socket_mode * 8 + static_cast<mode_t>(socket_mode[parsed] - '0');
  }
  if (parsed == 0 || parsed < socket_mode.size() || options.socket_mode > 0777) {
    ReportFailure(absl::InvalidArgumentError("--socket_mode is an octal number up to 0777"));
    return kExitUsage;
  }

  if (absl::Status s = PrepareProcess(flags); !s.ok()) return ReportFailure(s);
  // What may wake the phone is ours, and not of the programs that start apps.
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (const std::optional<absl::Duration> interval = WatchdogInterval()) {
    options.watchdog_interval = *interval;
    options.watchdog = [] { (void)NotifyServiceManager("WATCHDOG=1"); };
  }
  auto agent = agent::Agent::Start(options);
  if (!agent.ok()) return ReportFailure(agent.status());
  metrics::DaemonMetrics metrics("bellwire-agent");
  metrics.AddSource([&agent](metrics::Samples* samples) { (*agent)->Report(samples); });
  absl::Status ready = metrics.Serve(metrics_flags, /*local_only=*/true);
  std::thread thread([&agent] { (*agent)->Run(); });
  std::vector<std::pair<std::string, std::string>> fields = {
      {"socket_path", (*agent)->socket_path()}, {"device_id", (*agent)->device_id()}};
  metrics.AppendAddress(&fields);
  if (ready.ok()) ready = WriteReadyFile(flags.ready_file, fields);
  if (ready.ok()) WaitForShutdownSignal(flags, [&agent] { (*agent)->Reload(); });
  (*agent)->Stop();
  thread.join();
  return ready.ok() ? kExitOk : ReportFailure(ready);
}

}  // namespace
}  // namespace bellwire

int main(int argc, char** argv) { return bellwire::Main(argc, argv); }
