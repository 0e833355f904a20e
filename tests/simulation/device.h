#ifndef BELLWIRE_TESTS_SIMULATION_DEVICE_H_
#define BELLWIRE_TESTS_SIMULATION_DEVICE_H_

#include <memory>
#include <string>
#include <vector>

#include "crypto/device_key.h"
#include "device-agent/agent_core.h"
#include "device-agent/heartbeat_policy.h"
#include "device-agent/inbox.h"
#include "net/event_loop.h"
#include "net/simulated_network.h"
#include "net/stream.h"
#include "tests/simulation/app.h"
#include "tests/simulation/model.h"
#include "tests/simulation/random.h"
#include "tests/simulation/trace.h"

namespace bellwire::simulation {

// A phone: the real agent core over its real inbox, and its apps. Single-threaded.
class Device {
 public:
  struct Options {
    int index = 0;
    int apps = 0;
    uint64_t seed = 0;
    // Where its inbox lies.
    std::string directory;
    // Of connectors.
    std::vector<std::string> servers;
  };

  // All must outlive it. Apps and agent meet on `local`.
  Device(net::EventLoop* loop, net::SimulatedNetwork* network, net::SimulatedNetwork* local,
         Model* model, Trace* trace, Options options);
  ~Device();

  // Starts the agent. The apps come soon after.
  void Boot();
  // The agent is killed, or, with `power_cut`, the whole phone is dead at once and nobody hears of
  // it. On its disk is what was synced.
  void Crash(bool power_cut);
  bool up() const { return core_ != nullptr; }

  // Null if it has no connection to a server.
  net::Stream* stream() const { return stream_; }
  App& app(int index) { return *apps_[static_cast<size_t>(index)]; }

 private:
  std::string InboxPath() const;

  net::EventLoop* const loop_;
  net::SimulatedNetwork* const network_;
  net::SimulatedNetwork* const local_;
  Model* const model_;
  Trace* const trace_;
  const Options options_;
  const std::string local_address_;
  Random random_;
  std::unique_ptr<DeviceKey> key_;
  net::SimulatedNetwork::TicketSlot ticket_;
  net::Stream* stream_ = nullptr;
  std::vector<std::unique_ptr<App>> apps_;

  // Of one life of the agent.
  std::unique_ptr<agent::Inbox> inbox_;
  std::unique_ptr<agent::FixedHeartbeat> heartbeat_;
  std::unique_ptr<agent::AgentCore> core_;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_DEVICE_H_
