#ifndef BELLWIRE_TESTS_SIMULATION_APP_H_
#define BELLWIRE_TESTS_SIMULATION_APP_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "bellwire/agent/v1/agent.pb.h"
#include "device-agent/client/handled_deliveries.h"
#include "net/loop/event_loop.h"
#include "net/simulated/simulated_network.h"
#include "net/socket/frame_codec.h"
#include "net/socket/stream.h"
#include "tests/simulation/model.h"
#include "tests/simulation/random.h"
#include "tests/simulation/scheduler.h"

namespace bellwire::simulation {

// An app as the client library makes it: connects to the agent when it can, sometimes late,
// registers, takes each delivery once, and acknowledges, sometimes late. Single-threaded.
class App final : private net::Stream::Delegate {
 public:
  // `address` is where the agent listens on `network`. All must outlive the app.
  App(net::EventLoop* loop, net::SimulatedNetwork* network, Model* model, AppName name,
      std::string address, uint64_t seed);

  // The agent is there.
  void Connect();
  // It has died: everything of the connection is gone at once. Not from inside a callback of the
  // stream.
  void Disconnect();
  // It stands still for a while, without a connection. Call it from a timer of the simulation.
  void Leave(absl::Duration time);
  // Gives the token up, and asks for another one.
  void Unregister();

 private:
  void OnOpen() override;
  void OnData(absl::string_view data) override;
  void OnClosed(const absl::Status& status) override;
  void OnFrame(const agent::v1::AgentFrame& frame);
  void Dial();
  void DialLater();
  void HangUp();
  void Send(const agent::v1::AppFrame& frame);
  void Acknowledge(uint64_t delivery_id);
  void SendAck(uint64_t delivery_id);
  // Whether it is the first time.
  bool Take(uint64_t delivery_id, const std::string& message_id);

  net::EventLoop* const loop_;
  net::SimulatedNetwork* const network_;
  Model* const model_;
  const AppName name_;
  const std::string address_;
  Random random_;
  bool agent_is_there_ = false;
  bool away_ = false;
  Scheduler returns_;
  // Of one connection, or of none.
  std::unique_ptr<Scheduler> plans_;
  std::unique_ptr<net::Stream> stream_;
  net::FrameDecoder decoder_;
  agent::HandledDeliveries handled_;
  // Taken and not acknowledged so far: the message under each delivery id.
  std::map<uint64_t, std::string> taken_;
  bool open_ = false;
  bool unregistering_ = false;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_APP_H_
