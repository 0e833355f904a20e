#ifndef BELLWIRE_TESTS_SIMULATION_DEVICE_H_
#define BELLWIRE_TESTS_SIMULATION_DEVICE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "crypto/device_key.h"
#include "device-agent/core/agent_core.h"
#include "device-agent/heartbeat/heartbeat_policy.h"
#include "device-agent/inbox/inbox.h"
#include "net/loop/event_loop.h"
#include "net/simulated/simulated_network.h"
#include "net/socket/stream.h"
#include "tests/simulation/app.h"
#include "tests/simulation/model.h"
#include "tests/simulation/phone_loop.h"
#include "tests/simulation/phone_stream.h"
#include "tests/simulation/power_manager.h"
#include "tests/simulation/random.h"
#include "tests/simulation/trace.h"

namespace bellwire::simulation {

// A phone: the real agent core over its real inbox, its apps, and often somebody who tells the
// agent whether the phone is used. Single-threaded.
class Device {
 public:
  struct Options {
    int index = 0;
    int apps = 0;
    uint64_t seed = 0;
    // Where its disk is made.
    std::string directory;
    // Of connectors.
    std::vector<std::string> servers;
  };

  // All must outlive it.
  Device(net::EventLoop* loop, net::SimulatedNetwork* network, Model* model, Trace* trace,
         Options options);
  ~Device();

  // Starts the agent. The apps come soon after.
  void Boot();
  // The agent is killed, or, with `power_cut`, the whole phone is dead at once and nobody hears of
  // it. On its disk is what was synced. REQUIRES: awake().
  void Crash(bool power_cut);
  bool up() const { return core_ != nullptr; }

  // The phone sleeps: agent and apps stand still, and hear of nothing until it is awake again. Call
  // it from a timer. REQUIRES: awake().
  void Suspend();
  void Resume();
  // It is up, and not suspended.
  bool awake() const { return up() && !loop_.suspended(); }
  bool suspended() const { return loop_.suspended(); }
  // Somebody uses it from now on.
  void UseForGood();
  // Somebody sets its clock.
  void set_skew(absl::Duration skew) { loop_.set_skew(skew); }

  int index() const { return options_.index; }
  // Null if it has no connection to a server.
  net::Stream* stream() const { return stream_ == nullptr ? nullptr : stream_->end(); }
  App& app(int index) { return *apps_[static_cast<size_t>(index)]; }

 private:
  std::string PathOf(const std::string& file) const;
  // The agent is not there any more, as everybody else on the phone sees it.
  void Detach();

  net::EventLoop* const world_;
  net::SimulatedNetwork* const network_;
  Model* const model_;
  Trace* const trace_;
  const Options options_;
  PhoneLoop loop_;
  // Between agent and apps.
  net::SimulatedNetwork local_;
  Random random_;
  const std::unique_ptr<DeviceKey> key_;
  net::SimulatedNetwork::TicketSlot ticket_;
  PhoneStream* stream_ = nullptr;
  std::vector<std::unique_ptr<App>> apps_;
  // Null: nobody tells its agent anything.
  std::unique_ptr<PowerManager> power_manager_;

  // Of one life of the agent.
  std::unique_ptr<agent::Inbox> inbox_;
  std::unique_ptr<agent::FixedHeartbeat> heartbeat_;
  std::unique_ptr<agent::AgentCore> core_;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_DEVICE_H_
