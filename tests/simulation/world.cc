#include "tests/simulation/world.h"

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
#include "crypto/token_sealer.h"
#include "net/simulated_loop.h"
#include "net/simulated_network.h"
#include "tests/simulation/backbone.h"
#include "tests/simulation/connector_process.h"
#include "tests/simulation/device.h"
#include "tests/simulation/gateway_process.h"
#include "tests/simulation/provider.h"
#include "tests/simulation/random.h"
#include "tests/simulation/registry_process.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/trace.h"

namespace bellwire::simulation {
namespace {

// The longest ttl and deliver_at of a provider, a reconnect at its slowest, and some.
constexpr absl::Duration kQuiet = absl::Hours(5);
constexpr absl::Duration kLookInterval = absl::Minutes(10);
constexpr absl::Duration kMaxSkew = absl::Hours(1);
constexpr size_t kTraceLines = 120;

// Removed with everything in it.
class TemporaryDirectory {
 public:
  explicit TemporaryDirectory(const std::string& parent) {
    std::string path = parent + "/bellwire-simulation-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) std::abort();
    path_ = path;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class World {
 public:
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  explicit World(const WorldOptions& options)
      : options_(options),
        directory_(options.directory),
        loop_(&clock_),
        trace_(&clock_),
        model_(&trace_),
        network_(&loop_, options.seed),
        local_(&loop_, options.seed + 1),
        backbone_(&loop_, options.seed),
        sealer_(TokenSealer::ForTesting()),
        random_(options.seed, "faults"),
        faults_(std::make_unique<Scheduler>(&loop_)),
        repairs_(&loop_),
        registry_(&loop_, &backbone_, sealer_.get(), options.seed,
                  [this](const std::string& address) { return FindConnector(address); }) {
    network_.set_link_options({.latency = absl::Milliseconds(30),
                               .jitter = absl::Milliseconds(40),
                               .stall_probability = options.faults > 0 ? 0.002 : 0,
                               .stall = absl::Seconds(8)});
    local_.set_link_options({.latency = absl::ZeroDuration()});
    const auto find_registry = [this] { return registry_.api(); };
    const auto find_connector = [this](const std::string& a) { return FindConnector(a); };
    for (int i = 0; i < options.connectors; ++i) {
      connectors_.push_back(std::make_unique<ConnectorProcess>(
          &loop_, &network_, &backbone_, absl::StrCat("connector-", i), options.seed, find_registry,
          find_connector));
      addresses_.push_back(connectors_.back()->address());
    }
    std::vector<GatewayProcess*> gateways;
    for (int i = 0; i < options.gateways; ++i) {
      gateways_.push_back(std::make_unique<GatewayProcess>(&loop_, &backbone_, sealer_.get(),
                                                           absl::StrCat("gateway-", i),
                                                           find_registry, find_connector));
      gateways.push_back(gateways_.back().get());
    }
    provider_ =
        std::make_unique<Provider>(&loop_, &backbone_, &model_, std::move(gateways),
                                   Provider::Options{.seed = options.seed,
                                                     .devices = options.devices,
                                                     .apps = options.apps,
                                                     .messages_per_day = options.messages_per_day});
    for (int i = 0; i < options.devices; ++i) {
      devices_.push_back(std::make_unique<Device>(&loop_, &network_, &local_, &model_, &trace_,
                                                  Device::Options{.index = i,
                                                                  .apps = options.apps,
                                                                  .seed = options.seed,
                                                                  .directory = directory_.path(),
                                                                  .servers = addresses_}));
    }
  }

  // Everything ends while there is still a network to end on.
  ~World() {
    devices_.clear();
    provider_.reset();
    gateways_.clear();
    connectors_.clear();
    loop_.Post([] {});
    loop_.RunUntilIdle();
  }

  Report Run() {
    registry_.Start();
    MakeTeams();
    for (const auto& connector : connectors_) connector->Start();
    for (const auto& gateway : gateways_) gateway->Start();
    for (const auto& device : devices_) {
      repairs_.After(random_.Between(absl::ZeroDuration(), absl::Minutes(1)),
                     [&device] { device->Boot(); });
    }
    RunFor(absl::Minutes(5));
    provider_->Start();
    if (options_.faults > 0) PlanFaults();
    RunFor(options_.time);
    provider_->Stop();
    trace_.Add(Trace::kEverybody, "quiet");
    faults_.reset();
    Heal();
    RunFor(kQuiet);
    if (!model_.violation().has_value()) CheckEnd();
    return MakeReport();
  }

 private:
  ConnectorApi* FindConnector(const std::string& address) {
    for (const auto& connector : connectors_) {
      if (connector->address() == address) return connector->api();
    }
    return nullptr;
  }

  void MakeTeams() {
    for (int app = 0; app < options_.apps; ++app) {
      admin::v1::Team team;
      team.set_team_id(Provider::TeamOf(app));
      team.set_name("team");
      registry_.api()->PutTeam(team, [](const absl::StatusOr<admin::v1::Team>&) {});
      admin::v1::App put;
      put.set_app_id(App::IdOf(app));
      put.set_team_id(Provider::TeamOf(app));
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
    return registry_.Look(*sealer_->Open(message.token), Provider::TeamOf(message.to.app),
                          message.id);
  }

  // What has become of the messages?
  void Look() {
    if (!registry_.up()) return;
    const std::vector<uint64_t> open(model_.open().begin(), model_.open().end());
    for (const uint64_t number : open) {
      model_.OnLooked(number, LookAt(model_.message(number)), clock_.WallNow(), 2 * kMaxSkew);
    }
  }

  void CheckEnd() {
    for (const uint64_t number : model_.open()) {
      model_.OnEnd(number, LookAt(model_.message(number)));
    }
  }

  // --- What goes wrong. ---

  // `what` happens so often a day, at random.
  void Often(double times_a_day, std::function<void()> what) {
    const absl::Duration mean = absl::Hours(24) / (times_a_day * options_.faults);
    faults_->After(random_.Until(mean), [this, times_a_day, what = std::move(what)] {
      what();
      Often(times_a_day, what);
    });
  }

  template <typename T>
  T& Any(const std::vector<std::unique_ptr<T>>& all) {
    return *all[random_.Below(all.size())];
  }

  void PlanFaults() {
    const double devices = options_.devices;
    Often(4 * devices, [this] {
      Device& device = Any(devices_);
      if (device.stream() != nullptr) network_.Reset(device.stream());
    });
    Often(2 * devices, [this] {
      Device& device = Any(devices_);
      if (device.stream() != nullptr) network_.BlackHole(device.stream());
    });
    Often(2 * devices, [this] { CrashDevice(Any(devices_)); });
    Often(0.5 * devices, [this] {
      Device& device = Any(devices_);
      const uint64_t app = random_.Below(static_cast<uint64_t>(options_.apps));
      if (device.up()) device.app(static_cast<int>(app)).Unregister();
    });
    Often(6, [this] {
      ConnectorProcess& connector = Any(connectors_);
      if (!connector.up()) return;
      trace_.Add(Trace::kEverybody, "connector is killed");
      connector.Crash();
      repairs_.After(Downtime(), [&connector] { connector.Start(); });
    });
    Often(6, [this] {
      GatewayProcess& gateway = Any(gateways_);
      if (!gateway.up()) return;
      trace_.Add(Trace::kEverybody, "gateway is killed");
      gateway.Crash();
      repairs_.After(Downtime(), [&gateway] { gateway.Start(); });
    });
    Often(6, [this] {
      if (!registry_.up()) return;
      trace_.Add(Trace::kEverybody, "registry is killed");
      registry_.Crash(random_.Chance(0.7));
      repairs_.After(Downtime(), [this] { registry_.Start(); });
    });
    // A split between the servers.
    Often(6, [this] {
      std::vector<std::string> names = addresses_;
      names.push_back("registry");
      for (const auto& gateway : gateways_) names.push_back(gateway->name());
      const std::string name = names[random_.Below(names.size())];
      trace_.Add(Trace::kEverybody, "split");
      backbone_.Isolate(name);
      repairs_.After(Downtime(), [this, name] { backbone_.Heal(name); });
    });
    // Calls between the servers get lost.
    Often(6, [this] {
      trace_.Add(Trace::kEverybody, "loss");
      backbone_.set_loss(0.05);
      repairs_.After(Downtime(), [this] { backbone_.set_loss(0); });
    });
    // Nothing passes between devices and a connector.
    Often(6, [this] {
      const std::string address = addresses_[random_.Below(addresses_.size())];
      trace_.Add(Trace::kEverybody, "cut");
      network_.Cut(address);
      repairs_.After(Downtime(), [this, address] { network_.Mend(address); });
    });
    // Somebody sets a clock, of a server or of everything.
    Often(6, [this] {
      trace_.Add(Trace::kEverybody, "clock is set");
      const absl::Duration most = random_.Chance(0.2) ? kMaxSkew : absl::Seconds(10);
      AnyClock()->set_skew(random_.Between(-most, most));
    });
  }

  absl::Duration Downtime() { return random_.Between(absl::Milliseconds(100), absl::Minutes(2)); }

  SkewedClock* AnyClock() {
    switch (random_.Below(3)) {
      case 0:
        return registry_.clock();
      case 1:
        return Any(gateways_).clock();
      default:
        return Any(connectors_).clock();
    }
  }

  void CrashDevice(Device& device) {
    if (!device.up()) return;
    device.Crash(random_.Chance(0.3));
    const absl::Duration off = random_.Chance(0.8)
                                   ? random_.Between(absl::Milliseconds(100), absl::Minutes(1))
                                   : random_.Between(absl::Minutes(1), absl::Hours(2));
    repairs_.After(off, [&device] { device.Boot(); });
  }

  // Everything works from now on; what is down comes back when it was going to.
  void Heal() {
    backbone_.set_loss(0);
    backbone_.HealAll();
    for (const std::string& address : addresses_) network_.Mend(address);
    network_.set_link_options({.latency = absl::Milliseconds(30)});
    registry_.clock()->set_skew(absl::ZeroDuration());
    for (const auto& gateway : gateways_) gateway->clock()->set_skew(absl::ZeroDuration());
    for (const auto& connector : connectors_) connector->clock()->set_skew(absl::ZeroDuration());
  }

  Report MakeReport() const {
    Report report;
    report.violation = model_.violation();
    report.trace_hash = trace_.hash();
    report.events = trace_.events();
    report.counts = model_.counts();
    if (report.violation.has_value()) {
      std::ostringstream out;
      trace_.Print(report.violation->device, kTraceLines, out);
      report.trace = out.str();
    }
    return report;
  }

  const WorldOptions options_;
  const TemporaryDirectory directory_;
  SimulatedClock clock_;
  net::SimulatedLoop loop_;
  Trace trace_;
  Model model_;
  net::SimulatedNetwork network_;
  net::SimulatedNetwork local_;
  Backbone backbone_;
  const std::unique_ptr<TokenSealer> sealer_;
  Random random_;
  // What is going to go wrong, and what is going to be put right.
  std::unique_ptr<Scheduler> faults_;
  Scheduler repairs_;
  std::vector<std::string> addresses_;
  RegistryProcess registry_;
  std::vector<std::unique_ptr<ConnectorProcess>> connectors_;
  std::vector<std::unique_ptr<GatewayProcess>> gateways_;
  std::unique_ptr<Provider> provider_;
  std::vector<std::unique_ptr<Device>> devices_;
};

}  // namespace

Report RunWorld(const WorldOptions& options) { return std::make_unique<World>(options)->Run(); }

}  // namespace bellwire::simulation
