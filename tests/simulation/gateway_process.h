#ifndef BELLWIRE_TESTS_SIMULATION_GATEWAY_PROCESS_H_
#define BELLWIRE_TESTS_SIMULATION_GATEWAY_PROCESS_H_

#include <functional>
#include <memory>
#include <string>

#include "crypto/token_sealer.h"
#include "gateway/send_engine.h"
#include "net/event_loop.h"
#include "rpc/connector_api.h"
#include "rpc/registry_api.h"
#include "tests/simulation/backbone.h"
#include "tests/simulation/skewed_clock.h"

namespace bellwire::simulation {

// A gateway behind its authentication: the real SendEngine. Single-threaded.
class GatewayProcess {
 public:
  // All must outlive it. `find_registry` and `find_connector` as of the clients in backbone.h.
  GatewayProcess(net::EventLoop* loop, Backbone* backbone, const TokenSealer* sealer,
                 std::string name, std::function<RegistryApi*()> find_registry,
                 std::function<ConnectorApi*(const std::string&)> find_connector);
  ~GatewayProcess();

  void Start();
  void Crash();
  bool up() const { return life_ != nullptr; }
  // Null while it is down.
  gateway::SendEngine* engine();
  const std::string& name() const { return name_; }
  SkewedClock* clock() { return &clock_; }

 private:
  struct Life;

  Backbone* const backbone_;
  const TokenSealer* const sealer_;
  const std::string name_;
  const std::function<RegistryApi*()> find_registry_;
  const std::function<ConnectorApi*(const std::string&)> find_connector_;
  SkewedClock clock_;
  std::unique_ptr<Life> life_;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_GATEWAY_PROCESS_H_
