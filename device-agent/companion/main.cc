#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "boost/asio/executor_work_guard.hpp"
#include "boost/asio/io_context.hpp"
#include "boost/asio/post.hpp"
#include "common/clock.h"
#include "common/error.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "device-agent/client/companion_client.h"
#include "device-agent/companion/agent_hub.h"
#include "device-agent/companion/agent_loop.h"
#include "device-agent/companion/browser/autopush_server.h"
#include "device-agent/companion/browser/browser_door.h"
#include "device-agent/companion/state_directory.h"
#include "device-agent/companion/subscription_store.h"
#include "device-agent/companion/unifiedpush/distributor.h"
#include "device-agent/companion/unifiedpush/session_bus.h"
#include "ops/main_support.h"
#include "ops/metrics/daemon_metrics.h"

namespace bellwire::companion {
namespace {

constexpr char kFooter[] = R"(Example:
  systemctl --user enable --now bellwire-companion

It runs once per logged-in user, as that user, and speaks to the phone's bellwire-agent for software
that knows nothing of Bellwire. On the session bus it is a UnifiedPush distributor,
org.unifiedpush.Distributor.bellwire: apps with UnifiedPush (those of KDE, and others) find it by
themselves. D-Bus starts it when an app asks for it. What apps registered is in --state_dir and
survives restarts; an app that is not running is started by D-Bus when it gets a message. For
Firefox it is the push server, on a port of 127.0.0.1: bellwire companion firefox on.

See who registered: bellwire agent status        More: docs/operate/companion.md)";

struct Options {
  std::string socket_path = agent::kDefaultSocketPath;
  std::string state_dir;
  int app_patience_seconds = 60;
  bool receipts = false;
};

absl::StatusOr<std::unique_ptr<SubscriptionStore>> OpenStore(const std::string& state_dir) {
  BELLWIRE_RETURN_IF_ERROR(PrepareStateDirectory(state_dir));
  const std::string path = state_dir + "/subscriptions.db";
  auto store = SubscriptionStore::Open(path);
  if (ErrorReason(store.status()) == "DATABASE_IN_USE") {
    return WithHint(store.status(), "another companion of this user runs: stop it first");
  }
  if (ErrorReason(store.status()) == "DATABASE_DAMAGED") {
    return WithHint(store.status(),
                    absl::StrCat("move ", path, " away: apps register anew when they start"));
  }
  return store;
}

// The companion and its loop, which runs on a thread of its own while main() waits for signals.
class Companion {
 public:
  explicit Companion(const Options& options) : options_(options) {}

  absl::Status Start();
  // Serves until Stop(), or until something ends it: then the process gets a SIGTERM.
  void Run() { loop_.run(); }
  // From any thread.
  void Stop() { loop_.stop(); }
  // "127.0.0.1:PORT": where browsers find it.
  std::string browser_address() const { return browsers_->door().host(); }
  // From any thread, once it has started.
  void Report(metrics::Samples* samples) const { hub_->Report(samples); }
  // Why it ended, if it was not Stop().
  const absl::Status& end() const { return end_; }

 private:
  void EndWith(const absl::Status& status) {
    if (!end_.ok()) return;
    end_ = status;
    kill(getpid(), SIGTERM);
  }

  const Options options_;
  boost::asio::io_context loop_{1};
  const boost::asio::executor_work_guard<boost::asio::io_context::executor_type> works_{
      loop_.get_executor()};
  absl::BitGen random_;
  absl::Status end_;
  std::unique_ptr<AgentHub> hub_;
  std::unique_ptr<AgentLoop> agent_loop_;
  std::unique_ptr<SessionBus> bus_;
  std::unique_ptr<Distributor> distributor_;
  std::unique_ptr<AutopushServer> browsers_;
};

absl::Status Companion::Start() {
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<SubscriptionStore> store,
                            OpenStore(options_.state_dir));
  BELLWIRE_ASSIGN_OR_RETURN(
      hub_, AgentHub::Create(
                std::move(store),
                [this](agent::CompanionCallbacks callbacks) {
                  agent::CompanionClientOptions client;
                  client.socket_path = options_.socket_path;
                  return agent::CompanionClient::Create(client, std::move(callbacks));
                },
                [this](std::function<void()> work) { boost::asio::post(loop_, std::move(work)); },
                options_.receipts));
  BELLWIRE_ASSIGN_OR_RETURN(
      bus_, SessionBus::Connect(&loop_, RealClock(), absl::Seconds(options_.app_patience_seconds)));
  distributor_ = std::make_unique<Distributor>(hub_.get(), bus_.get(), RealClock(), random_);
  distributor_->Start();
  BELLWIRE_RETURN_IF_ERROR(
      bus_->Serve(distributor_.get(), [this](const absl::Status& status) { EndWith(status); }));
  BELLWIRE_ASSIGN_OR_RETURN(BrowserDoor door,
                            LoadOrCreateBrowserDoor(BrowserDoorPath(options_.state_dir)));
  browsers_ =
      std::make_unique<AutopushServer>(&loop_, std::move(door), getuid(), hub_.get(), RealClock());
  agent_loop_ = std::make_unique<AgentLoop>(
      &loop_, hub_->client(), [this](const absl::Status& status) { EndWith(status); });
  BELLWIRE_RETURN_IF_ERROR(agent_loop_->Start());
  LogInfo("companion_started", {{"bus_name", kDistributorBusName},
                                {"registrations", distributor_->registrations()},
                                {"state_dir", options_.state_dir}});
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  Options options;
  options.state_dir = DefaultStateDirectory();
  DaemonFlags flags;
  CLI::App app("bellwire-companion: push for a user's software that knows nothing of Bellwire",
               "bellwire-companion");
  app.footer(kFooter);
  app.add_option("--socket", options.socket_path, "Where the phone's agent listens")
      ->capture_default_str();
  CLI::Option* const state_dir =
      app.add_option("--state_dir", options.state_dir,
                     "What apps registered; made if missing (default: $XDG_STATE_HOME/bellwire, or "
                     "~/.local/state/bellwire)");
  app.add_option("--app_patience_seconds", options.app_patience_seconds,
                 "How long an app may take to answer a call, its start included")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  app.add_flag("--receipts", options.receipts,
               "Senders, and the server's administrators, may learn what became of messages to "
               "this user's apps and browsers: when each was on the phone, and when it was taken");
  metrics::MetricsFlags metrics_flags;
  metrics::AddMetricsFlags(&app, &metrics_flags, /*local_only=*/true);
  AddDaemonFlags(&app, &flags);
  if (std::optional<int> exit_code = ParseFlags(&app, argc, argv)) return *exit_code;
  if (state_dir->count() == 0 && options.state_dir.empty()) {
    ReportFailure(absl::InvalidArgumentError(
        "neither XDG_STATE_HOME nor HOME is set: say where to keep the state with --state_dir"));
    return kExitUsage;
  }

  if (absl::Status s = PrepareProcess(flags); !s.ok()) return ReportFailure(s);
  umask(0077);
  Companion companion(options);
  if (absl::Status s = companion.Start(); !s.ok()) return ReportFailure(s);
  metrics::DaemonMetrics metrics("bellwire-companion");
  metrics.AddSource([&companion](metrics::Samples* samples) { companion.Report(samples); });
  absl::Status ready = metrics.Serve(metrics_flags, /*local_only=*/true);
  std::thread thread([&companion] { companion.Run(); });
  std::vector<std::pair<std::string, std::string>> fields = {
      {"bus_name", kDistributorBusName},
      {"browser_address", companion.browser_address()},
      {"state_dir", options.state_dir}};
  metrics.AppendAddress(&fields);
  if (ready.ok()) ready = WriteReadyFile(flags.ready_file, fields);
  if (ready.ok()) WaitForShutdownSignal(flags);
  companion.Stop();
  thread.join();
  if (!companion.end().ok()) return ReportFailure(companion.end());
  return ready.ok() ? kExitOk : ReportFailure(ready);
}

}  // namespace
}  // namespace bellwire::companion

int main(int argc, char** argv) { return bellwire::companion::Main(argc, argv); }
