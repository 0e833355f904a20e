#ifndef BELLWIRE_TESTS_SIMULATION_CONNECTOR_PROCESS_H_
#define BELLWIRE_TESTS_SIMULATION_CONNECTOR_PROCESS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "net/loop/event_loop.h"
#include "net/simulated/simulated_network.h"
#include "rpc/registry_api.h"
#include "tests/simulation/backbone.h"
#include "tests/simulation/random.h"
#include "tests/simulation/session_link.h"
#include "tests/simulation/skewed_clock.h"

namespace bellwire::simulation {

// A connector of one shard: the real sessions and calls on simulated streams, listening at
// `address` of the device network. Single-threaded.
class ConnectorProcess {
 public:
  // All must outlive it. `find_registry` as of NewRegistryClient, `find_port` as of
  // NewSessionStream.
  ConnectorProcess(net::EventLoop* loop, net::SimulatedNetwork* network, Backbone* backbone,
                   std::string address, uint64_t seed, std::function<RegistryApi*()> find_registry,
                   std::function<SessionPort*()> find_port);
  ~ConnectorProcess();

  void Start();
  void Crash();
  bool up() const { return life_ != nullptr; }
  const std::string& address() const { return address_; }
  SkewedClock* clock() { return &clock_; }

 private:
  struct Life;

  net::EventLoop* const loop_;
  net::SimulatedNetwork* const network_;
  Backbone* const backbone_;
  const std::string address_;
  const std::function<RegistryApi*()> find_registry_;
  const std::function<SessionPort*()> find_port_;
  Random random_;
  SkewedClock clock_;
  std::unique_ptr<Life> life_;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_CONNECTOR_PROCESS_H_
