#include "tests/simulation/world.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/ids.h"
#include "common/simulated_clock.h"
#include "common/testing/temp_dir.h"
#include "crypto/token_sealer.h"
#include "net/simulated/simulated_loop.h"
#include "net/simulated/simulated_network.h"
#include "tests/simulation/backbone.h"
#include "tests/simulation/connector_process.h"
#include "tests/simulation/device.h"
#include "tests/simulation/gateway_process.h"
#include "tests/simulation/intruder.h"
#include "tests/simulation/priority_rules.h"
#include "tests/simulation/provider.h"
#include "tests/simulation/random.h"
#include "tests/simulation/receipt_watcher.h"
#include "tests/simulation/registry_process.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/trace.h"

namespace bellwire::simulation {
namespace {

// Nothing goes wrong any more, and providers go on: when things are sent and shown can be held
// against what priorities promise.
constexpr absl::Duration kCalm = absl::Hours(2);
// The longest ttl and deliver_at of a provider, and some.
constexpr absl::Duration kQuiet = absl::Hours(4);
// Then everybody uses their phone, and its connection is made anew: nothing has a reason to wait.
constexpr absl::Duration kLast = absl::Hours(1);
constexpr absl::Duration kLookInterval = absl::Minutes(10);
constexpr size_t kTraceLines = 120;

class World {
 public:
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  explicit World(const WorldOptions& options)
      : options_(options),
        directory_(options.directory),
        loop_(&clock_),
        trace_(&clock_),
        model_(&clock_, &trace_),
        network_(&loop_, options.seed),
        backbone_(&loop_, options.seed),
        sealer_(TokenSealer::ForTesting()),
        boots_(&loop_),
        registry_(&loop_, &backbone_, sealer_.get(), options.seed) {
    network_.set_link_options(
        {.latency = absl::Milliseconds(30),
         .jitter = absl::Milliseconds(40),
         .stall_probability = options.faults > 0 ? options.rates.stall_probability : 0,
         .stall = absl::Seconds(8)});
    MakeServers();
    MakeProviders();
    std::vector<std::string> addresses;
    for (const auto& connector : connectors_) addresses.push_back(connector->address());
    for (int i = 0; i < options.devices; ++i) {
      devices_.push_back(std::make_unique<Device>(&loop_, &network_, &model_, &trace_,
                                                  Device::Options{.index = i,
                                                                  .apps = options.apps,
                                                                  .seed = options.seed,
                                                                  .directory = directory_.path(),
                                                                  .servers = addresses}));
    }
    if (options.faults > 0) {
      faults_ = std::make_unique<Faults>(Faults::Parts{.loop = &loop_,
                                                       .network = &network_,
                                                       .backbone = &backbone_,
                                                       .model = &model_,
                                                       .trace = &trace_,
                                                       .provider = provider_.get(),
                                                       .intruder = intruder_.get(),
                                                       .registry = &registry_,
                                                       .connectors = &connectors_,
                                                       .gateways = &gateways_,
                                                       .watchers = &watchers_,
                                                       .devices = &devices_,
                                                       .apps = options.apps},
                                         options.rates, options.faults, options.seed);
    }
  }

  // Everything ends while there is still a network to end on.
  ~World() {
    faults_.reset();
    devices_.clear();
    intruder_.reset();
    watchers_.clear();
    provider_.reset();
    gateways_.clear();
    connectors_.clear();
    loop_.Post([] {});
    loop_.RunUntilIdle();
  }

  Report Run() {
    registry_.set_on_start([this](uint64_t number) { model_.OnRegistryStart(number); });
    registry_.Start();
    MakeTeams();
    for (const auto& connector : connectors_) connector->Start();
    for (const auto& gateway : gateways_) gateway->Start();
    for (const auto& watcher : watchers_) watcher->Start();
    Random random(options_.seed, "boots");
    for (const auto& device : devices_) {
      boots_.After(random.Between(absl::ZeroDuration(), absl::Minutes(1)),
                   [&device] { device->Boot(); });
    }
    RunFor(absl::Minutes(5));
    provider_->Start();
    if (faults_ != nullptr) faults_->Start();
    RunFor(options_.time);
    trace_.Add(Trace::kEverybody, "calm");
    if (faults_ != nullptr) faults_->Stop();
    model_.rules().OnTrouble(PriorityRules::kEverybody, absl::ZeroDuration());
    model_.OnClocksRight();
    network_.set_link_options({.latency = absl::Milliseconds(30)});
    RunFor(kCalm);
    provider_->Stop();
    trace_.Add(Trace::kEverybody, "quiet");
    RunFor(kQuiet);
    trace_.Add(Trace::kEverybody, "everybody uses their phone");
    for (const auto& device : devices_) {
      device->UseForGood();
      if (device->stream() != nullptr) network_.Reset(device->stream());
    }
    model_.rules().OnTrouble(PriorityRules::kEverybody, absl::ZeroDuration());
    RunFor(kLast);
    if (!model_.violation().has_value()) CheckEnd();
    return MakeReport();
  }

 private:
  void MakeServers() {
    const auto find_registry = [this] { return registry_.api(); };
    const auto find_port = [this] { return registry_.session_port(); };
    for (int i = 0; i < options_.connectors; ++i) {
      connectors_.push_back(std::make_unique<ConnectorProcess>(
          &loop_, &network_, &backbone_, absl::StrCat("connector-", i), options_.seed,
          find_registry, find_port));
    }
    for (int i = 0; i < options_.gateways; ++i) {
      gateways_.push_back(std::make_unique<GatewayProcess>(
          &loop_, &backbone_, sealer_.get(), absl::StrCat("gateway-", i), find_registry));
    }
  }

  void MakeProviders() {
    std::vector<GatewayProcess*> gateways;
    for (const auto& gateway : gateways_) gateways.push_back(gateway.get());
    provider_ = std::make_unique<Provider>(
        &loop_, &backbone_, &model_, gateways,
        Provider::Options{.seed = options_.seed,
                          .devices = options_.devices,
                          .apps = options_.apps,
                          .messages_per_day = options_.messages_per_day});
    intruder_ = std::make_unique<Intruder>(&backbone_, &model_, gateways, options_.devices,
                                           options_.apps, options_.seed);
    for (int team = 0; team < std::min(options_.apps, 2); ++team) {
      watchers_.push_back(std::make_unique<ReceiptWatcher>(&loop_, &backbone_, &model_, gateways,
                                                           TeamOf(team), options_.seed));
    }
  }

  void MakeTeams() {
    for (int app = 0; app < options_.apps; ++app) {
      admin::v1::Team team;
      team.set_team_id(TeamOf(app));
      team.set_name("team");
      registry_.api()->PutTeam(team, [](const absl::StatusOr<admin::v1::Team>&) {});
      admin::v1::App put;
      put.set_app_id(AppIdOf(app));
      put.set_team_id(TeamOf(app));
      put.set_overflow_policy(PolicyOf(app));
      registry_.api()->PutApp(put, [this](const absl::StatusOr<admin::v1::App>& result) {
        if (!result.ok()) model_.Violate(Trace::kEverybody, result.status().ToString());
      });
    }
    loop_.RunFor(absl::Seconds(1));
  }

  void RunFor(absl::Duration time) {
    const absl::Time end = clock_.WallNow() + time;
    absl::Time next_line = clock_.WallNow() + absl::Hours(1);
    while (clock_.WallNow() < end && !model_.violation().has_value()) {
      const absl::Duration step = std::min(kLookInterval, end - clock_.WallNow());
      if (loop_.RunUntil([this] { return model_.violation().has_value(); }, step)) return;
      Look();
      if (clock_.WallNow() >= next_line) {
        next_line += absl::Hours(1);
        if (options_.progress) options_.progress(Line());
      }
    }
  }

  std::string Line() const {
    const Model::Counts& counts = model_.counts();
    return absl::StrFormat("%s  sent %d  accepted %d  shown %d  open %d  events %d",
                           absl::FormatTime("%d %b %H:%M", clock_.WallNow(), absl::UTCTimeZone()),
                           counts.sent, counts.accepted, counts.shown, model_.open().size(),
                           trace_.events());
  }

  absl::StatusOr<push::v1::GetMessageResponse> LookAt(const Model::Message& message) {
    return registry_.Look(*sealer_->Open(message.token), TeamOf(message.to.app), message.id);
  }

  // What has become of the messages?
  void Look() {
    if (!registry_.up()) return;
    model_.BeginLook();
    const std::vector<uint64_t> open(model_.open().begin(), model_.open().end());
    for (const uint64_t number : open) model_.OnLooked(number, LookAt(model_.message(number)));
  }

  void CheckEnd() {
    for (const uint64_t number : model_.open()) {
      model_.OnEnd(number, LookAt(model_.message(number)));
    }
    for (const auto& [number, message] : model_.messages()) {
      if (message.end == push::v1::STEP_UNSPECIFIED) continue;
      model_.OnLookedAgain(number, LookAt(message));
    }
    model_.CheckEnd();
  }

  Report MakeReport() const {
    Report report;
    report.violation = model_.violation();
    report.trace_hash = trace_.hash();
    report.events = trace_.events();
    report.counts = model_.counts();
    if (report.violation.has_value()) {
      std::ostringstream out;
      trace_.Print(report.violation->device, report.violation->message, kTraceLines, out);
      report.trace = out.str();
    }
    return report;
  }

  const WorldOptions options_;
  const TempDir directory_;
  SimulatedClock clock_;
  net::SimulatedLoop loop_;
  Trace trace_;
  Model model_;
  net::SimulatedNetwork network_;
  Backbone backbone_;
  const std::unique_ptr<TokenSealer> sealer_;
  Scheduler boots_;
  RegistryProcess registry_;
  std::vector<std::unique_ptr<ConnectorProcess>> connectors_;
  std::vector<std::unique_ptr<GatewayProcess>> gateways_;
  std::unique_ptr<Provider> provider_;
  std::unique_ptr<Intruder> intruder_;
  std::vector<std::unique_ptr<ReceiptWatcher>> watchers_;
  std::vector<std::unique_ptr<Device>> devices_;
  std::unique_ptr<Faults> faults_;
};

}  // namespace

Report RunWorld(const WorldOptions& options) { return std::make_unique<World>(options)->Run(); }

}  // namespace bellwire::simulation
