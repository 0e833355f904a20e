#ifndef BELLWIRE_TESTS_SIMULATION_POWER_MANAGER_H_
#define BELLWIRE_TESTS_SIMULATION_POWER_MANAGER_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "net/loop/event_loop.h"
#include "net/simulated/simulated_network.h"
#include "net/socket/frame_codec.h"
#include "net/socket/stream.h"
#include "tests/simulation/model.h"
#include "tests/simulation/random.h"
#include "tests/simulation/scheduler.h"

namespace bellwire::simulation {

// What tells a phone's agent whether somebody uses the phone, as `bellwire agent activity` does: on
// a connection for each time. Says it again to an agent that was started anew, sometimes late.
// Single-threaded.
class PowerManager final : private net::Stream::Delegate {
 public:
  // `address` is where the agent listens for its own user on `network`. All must outlive it.
  PowerManager(net::EventLoop* loop, net::SimulatedNetwork* network, Model* model, int device,
               std::string address, uint64_t seed);

  // The agent is there.
  void Connect();
  // It has died. Not from inside a callback of the stream.
  void Disconnect();
  // Somebody takes up the phone now, and never lays it down again.
  void UseForGood();

 private:
  void OnOpen() override;
  void OnData(absl::string_view data) override;
  void OnClosed(const absl::Status& status) override;
  void ChangeLater();
  void Say();

  net::EventLoop* const loop_;
  net::SimulatedNetwork* const network_;
  Model* const model_;
  const int device_;
  const std::string address_;
  Random random_;
  // When it is taken up and laid down.
  std::unique_ptr<Scheduler> changes_;
  bool in_use_ = true;
  // Of one life of the agent; null: it is dead.
  std::unique_ptr<Scheduler> plans_;
  std::unique_ptr<net::Stream> stream_;
  net::FrameDecoder decoder_;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_POWER_MANAGER_H_
