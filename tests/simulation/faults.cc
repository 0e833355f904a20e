#include "tests/simulation/faults.h"

#include <utility>

#include "common/limits.h"

namespace bellwire::simulation {
namespace {

constexpr absl::Duration kMaxSlowness = absl::Seconds(25);

}  // namespace

Faults::Faults(const Parts& parts, const FaultRates& rates, double times, uint64_t seed)
    : parts_(parts),
      rates_(rates),
      times_(times),
      random_(seed, "faults"),
      plans_(std::make_unique<Scheduler>(parts.loop)),
      repairs_(parts.loop) {}

void Faults::Start() {
  PlanDevices();
  PlanServers();
  PlanNetworks();
}

void Faults::Often(double times_a_day, std::function<void()> what) {
  if (times_a_day <= 0) return;
  const absl::Duration mean = absl::Hours(24) / (times_a_day * times_);
  plans_->After(random_.Until(mean), [this, times_a_day, what = std::move(what)] {
    what();
    Often(times_a_day, what);
  });
}

void Faults::PlanDevices() {
  const double devices = static_cast<double>(parts_.devices->size());
  Often(rates_.resets * devices, [this] {
    Device& device = AnyDevice();
    if (device.stream() == nullptr) return;
    parts_.network->Reset(device.stream());
    Hurt(device);
  });
  Often(rates_.black_holes * devices, [this] {
    Device& device = AnyDevice();
    if (device.stream() == nullptr) return;
    parts_.network->BlackHole(device.stream());
    Hurt(device);
  });
  Often(rates_.kills * devices, [this] {
    const absl::Duration off = random_.Chance(0.8)
                                   ? random_.Between(absl::Milliseconds(100), absl::Minutes(1))
                                   : random_.Between(absl::Minutes(1), absl::Hours(2));
    CrashDevice(AnyDevice(), random_.Chance(0.3), off);
  });
  Often(rates_.sleeps * devices, [this] {
    Device& device = AnyDevice();
    if (!device.awake()) return;
    // Often somebody on the way has forgotten its connection by then.
    if (device.stream() != nullptr && random_.Chance(0.5)) {
      parts_.network->BlackHole(device.stream());
    }
    device.Suspend();
    const absl::Duration most = random_.Chance(0.8) ? absl::Minutes(20) : absl::Hours(3);
    repairs_.After(random_.Between(absl::Seconds(1), most), [&device] { device.Resume(); });
  });
  Often(rates_.clocks * devices, [this] { AnyDevice().set_skew(Skew()); });
  Often(rates_.unregistrations * devices, [this] {
    Device& device = AnyDevice();
    const uint64_t app = random_.Below(static_cast<uint64_t>(parts_.apps));
    if (device.awake()) device.app(static_cast<int>(app)).Unregister();
  });
  Often(rates_.absences * devices, [this] {
    Device& device = AnyDevice();
    const uint64_t app = random_.Below(static_cast<uint64_t>(parts_.apps));
    device.app(static_cast<int>(app))
        .Leave(random_.Between(absl::Milliseconds(100), absl::Minutes(30)));
  });
  Often(rates_.floods * devices, [this] { Flood(); });
  Often(rates_.intrusions * devices, [this] { parts_.intruder->Try(); });
}

void Faults::PlanServers() {
  Often(rates_.connector_kills, [this] { Kill(Any(*parts_.connectors), "connector is killed"); });
  Often(rates_.gateway_kills, [this] { Kill(Any(*parts_.gateways), "gateway is killed"); });
  Often(rates_.registry_kills, [this] {
    if (!parts_.registry->up()) return;
    parts_.trace->Add(Trace::kEverybody, "registry is killed");
    parts_.registry->Crash(random_.Chance(0.7));
    repairs_.After(Downtime(), [this] { parts_.registry->Start(); });
  });
  Often(rates_.watcher_kills, [this] {
    parts_.trace->Add(Trace::kEverybody, "watcher is killed");
    Any(*parts_.watchers).Crash();
  });
  Often(rates_.server_clocks, [this] { SetServerClock(); });
}

void Faults::PlanNetworks() {
  Often(rates_.splits, [this] {
    const std::string name = AnyProcess();
    parts_.trace->Add(Trace::kEverybody, "split");
    parts_.backbone->Isolate(name);
    repairs_.After(Downtime(), [this, name] { parts_.backbone->Heal(name); });
  });
  Often(rates_.losses, [this] {
    parts_.trace->Add(Trace::kEverybody, "loss");
    parts_.backbone->set_loss(0.05);
    repairs_.After(Downtime(), [this] { parts_.backbone->set_loss(0); });
  });
  Often(rates_.slow_times, [this] {
    parts_.trace->Add(Trace::kEverybody, "slow");
    parts_.backbone->set_slowness(kMaxSlowness);
    repairs_.After(Downtime(), [this] { parts_.backbone->set_slowness(absl::ZeroDuration()); });
  });
  Often(rates_.cuts, [this] {
    const std::string address = Any(*parts_.connectors).address();
    parts_.trace->Add(Trace::kEverybody, "cut");
    parts_.network->Cut(address);
    repairs_.After(Downtime(), [this, address] { parts_.network->Mend(address); });
  });
}

std::string Faults::AnyProcess() {
  std::vector<std::string> names = {"registry"};
  for (const auto& connector : *parts_.connectors) names.push_back(connector->address());
  for (const auto& gateway : *parts_.gateways) names.push_back(gateway->name());
  return names[random_.Below(names.size())];
}

absl::Duration Faults::Downtime() {
  const absl::Duration time = random_.Between(absl::Milliseconds(100), absl::Minutes(2));
  parts_.model->rules().OnTrouble(PriorityRules::kEverybody, time);
  return time;
}

void Faults::Hurt(Device& device) {
  parts_.model->rules().OnTrouble(device.index(), absl::ZeroDuration());
}

absl::Duration Faults::Skew() {
  const absl::Duration most = random_.Chance(0.2) ? rates_.max_skew : absl::Seconds(10);
  const absl::Duration skew = random_.Between(-most, most);
  parts_.model->OnClockSet(skew);
  return skew;
}

void Faults::SetServerClock() {
  parts_.trace->Add(Trace::kEverybody, "clock is set");
  const absl::Duration skew = Skew();
  switch (random_.Below(4)) {
    case 0:
      return parts_.registry->clock()->set_skew(skew);
    case 1:
      return Any(*parts_.gateways).clock()->set_skew(skew);
    case 2:
      return Any(*parts_.connectors).clock()->set_skew(skew);
    default:
      // All at once: whoever they take their time from is wrong.
      parts_.registry->clock()->set_skew(skew);
      for (const auto& gateway : *parts_.gateways) gateway->clock()->set_skew(skew);
      for (const auto& connector : *parts_.connectors) connector->clock()->set_skew(skew);
  }
}

template <typename Process>
void Faults::Kill(Process& process, const char* what) {
  if (!process.up()) return;
  parts_.trace->Add(Trace::kEverybody, what);
  process.Crash();
  repairs_.After(Downtime(), [&process] { process.Start(); });
}

void Faults::CrashDevice(Device& device, bool power_cut, absl::Duration off) {
  if (!device.awake()) return;
  device.Crash(power_cut);
  repairs_.After(off, [&device] { device.Boot(); });
}

void Faults::Flood() {
  const uint64_t index = random_.Below(parts_.devices->size());
  const uint64_t app = random_.Below(static_cast<uint64_t>(parts_.apps));
  Device& device = *(*parts_.devices)[index];
  if (!device.awake()) return;
  CrashDevice(device, true, random_.Between(absl::Minutes(2), absl::Minutes(20)));
  parts_.provider->SendMany({static_cast<int>(index), static_cast<int>(app)},
                            static_cast<int>(kMaxMailboxMessagesPerApp + random_.Below(40)));
}

void Faults::Stop() {
  plans_.reset();
  parts_.backbone->set_loss(0);
  parts_.backbone->set_slowness(absl::ZeroDuration());
  parts_.backbone->HealAll();
  parts_.registry->clock()->set_skew(absl::ZeroDuration());
  for (const auto& gateway : *parts_.gateways) gateway->clock()->set_skew(absl::ZeroDuration());
  for (const auto& device : *parts_.devices) device->set_skew(absl::ZeroDuration());
  for (const auto& connector : *parts_.connectors) {
    parts_.network->Mend(connector->address());
    connector->clock()->set_skew(absl::ZeroDuration());
  }
}

}  // namespace bellwire::simulation
