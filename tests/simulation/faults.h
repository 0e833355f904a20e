#ifndef BELLWIRE_TESTS_SIMULATION_FAULTS_H_
#define BELLWIRE_TESTS_SIMULATION_FAULTS_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "net/loop/event_loop.h"
#include "net/simulated/simulated_network.h"
#include "tests/simulation/backbone.h"
#include "tests/simulation/connector_process.h"
#include "tests/simulation/device.h"
#include "tests/simulation/gateway_process.h"
#include "tests/simulation/intruder.h"
#include "tests/simulation/model.h"
#include "tests/simulation/priority_rules.h"
#include "tests/simulation/provider.h"
#include "tests/simulation/random.h"
#include "tests/simulation/receipt_watcher.h"
#include "tests/simulation/registry_process.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/trace.h"

namespace bellwire::simulation {

// How often what goes wrong, on a bad day.
struct FaultRates {
  // Of each device, a day: its connection is reset, or swallows everything from now on; its agent
  // is killed, or its battery taken out; it sleeps; somebody sets its clock; an app unregisters.
  double resets = 4;
  double black_holes = 2;
  double kills = 2;
  double sleeps = 8;
  double clocks = 0.5;
  double unregistrations = 0.5;
  // An app is not there for a while, and what comes for it waits on the phone.
  double absences = 4;
  // More is sent to one of its apps than a mailbox holds, while it is away.
  double floods = 0.05;
  // Somebody uses a token that is not theirs.
  double intrusions = 5;
  // Of the whole system, a day: a process dies; it is split from the others; calls between servers
  // get lost, or take long; nothing passes between devices and a connector; somebody sets the clock
  // of a server; a backend that follows its receipts dies.
  double connector_kills = 6;
  double gateway_kills = 6;
  double registry_kills = 6;
  double splits = 6;
  double losses = 6;
  double slow_times = 6;
  double cuts = 6;
  double server_clocks = 6;
  double watcher_kills = 6;

  // From the devices' links: each chunk that is sent stands still so likely.
  double stall_probability = 0.002;

  // The most that any clock is off.
  absl::Duration max_skew = absl::Hours(1);
};

// Lets things go wrong, and puts them right after a while. Single-threaded.
class Faults {
 public:
  // What it all happens to. All outlive the faults.
  struct Parts {
    net::EventLoop* loop;
    net::SimulatedNetwork* network;
    Backbone* backbone;
    Model* model;
    Trace* trace;
    Provider* provider;
    Intruder* intruder;
    RegistryProcess* registry;
    const std::vector<std::unique_ptr<ConnectorProcess>>* connectors;
    const std::vector<std::unique_ptr<GatewayProcess>>* gateways;
    const std::vector<std::unique_ptr<ReceiptWatcher>>* watchers;
    const std::vector<std::unique_ptr<Device>>* devices;
    // On each device.
    int apps;
  };

  // Everything happens `times` as often as `rates` say. REQUIRES: times > 0.
  Faults(const Parts& parts, const FaultRates& rates, double times, uint64_t seed);

  void Start();
  // Nothing goes wrong any more; what is down comes back when it was going to.
  void Stop();

 private:
  // `what` happens so often a day, at random.
  void Often(double times_a_day, std::function<void()> what);
  void PlanDevices();
  void PlanServers();
  void PlanNetworks();

  Device& AnyDevice() { return Any(*parts_.devices); }
  template <typename T>
  T& Any(const std::vector<std::unique_ptr<T>>& all) {
    return *all[random_.Below(all.size())];
  }
  // A server's process, "connector-0" or so.
  std::string AnyProcess();
  // How long something is down that all feel, the model is told.
  absl::Duration Downtime();
  absl::Duration Skew();
  // The connection of one of them breaks, or will turn out to be broken.
  void Hurt(Device& device);
  void SetServerClock();
  template <typename Process>
  void Kill(Process& process, const char* what);
  void CrashDevice(Device& device, bool power_cut, absl::Duration off);
  void Flood();

  const Parts parts_;
  const FaultRates rates_;
  const double times_;
  Random random_;
  // What is going to go wrong, and what is going to be put right.
  std::unique_ptr<Scheduler> plans_;
  Scheduler repairs_;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_FAULTS_H_
