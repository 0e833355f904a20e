#ifndef BELLWIRE_TESTS_SIMULATION_CONNECTOR_PROCESS_H_
#define BELLWIRE_TESTS_SIMULATION_CONNECTOR_PROCESS_H_

#include <functional>
#include <memory>
#include <string>

#include "net/loop/event_loop.h"
#include "net/simulated/simulated_network.h"
#include "rpc/connector_api.h"
#include "rpc/registry_api.h"
#include "tests/simulation/backbone.h"
#include "tests/simulation/random.h"
#include "tests/simulation/skewed_clock.h"

namespace bellwire::simulation {

// A connector of one shard: the real connections, calls and internal port on simulated streams,
// listening at `address` of the device network. Single-threaded.
class ConnectorProcess {
 public:
  // All must outlive it. `find_registry` and `find_connector` as of the clients in backbone.h;
  // `registry_life` answers another number after each start of the registry, and 0 while it is
  // down.
  ConnectorProcess(net::EventLoop* loop, net::SimulatedNetwork* network, Backbone* backbone,
                   std::string address, uint64_t seed, std::function<RegistryApi*()> find_registry,
                   std::function<uint64_t()> registry_life,
                   std::function<ConnectorApi*(const std::string&)> find_connector);
  ~ConnectorProcess();

  void Start();
  void Crash();
  bool up() const { return life_ != nullptr; }
  // Null while it is down.
  ConnectorApi* api();
  const std::string& address() const { return address_; }
  SkewedClock* clock() { return &clock_; }

 private:
  struct Life;

  net::EventLoop* const loop_;
  net::SimulatedNetwork* const network_;
  Backbone* const backbone_;
  const std::string address_;
  const std::function<RegistryApi*()> find_registry_;
  const std::function<uint64_t()> registry_life_;
  const std::function<ConnectorApi*(const std::string&)> find_connector_;
  Random random_;
  SkewedClock clock_;
  std::unique_ptr<Life> life_;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_CONNECTOR_PROCESS_H_
