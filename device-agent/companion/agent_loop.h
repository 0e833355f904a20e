#ifndef BELLWIRE_DEVICE_AGENT_COMPANION_AGENT_LOOP_H_
#define BELLWIRE_DEVICE_AGENT_COMPANION_AGENT_LOOP_H_

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "boost/asio/io_context.hpp"
#include "boost/asio/posix/stream_descriptor.hpp"
#include "device-agent/client/companion_client.h"

namespace bellwire::companion {

// Runs a CompanionClient on the loop of the process: calls its Dispatch() whenever its descriptor
// has something. Single-threaded.
class AgentLoop {
 public:
  // `on_end` is called once if the client comes to its end (its status: SESSION_REPLACED, and so
  // on). What is passed in must outlive this object.
  AgentLoop(boost::asio::io_context* loop, agent::CompanionClient* client,
            std::function<void(const absl::Status&)> on_end);
  ~AgentLoop();
  AgentLoop(const AgentLoop&) = delete;
  AgentLoop& operator=(const AgentLoop&) = delete;

  // RESOURCE_EXHAUSTED: no descriptor left.
  absl::Status Start();

 private:
  void Wait();

  agent::CompanionClient* const client_;
  const std::function<void(const absl::Status&)> on_end_;
  // A duplicate of the client's.
  boost::asio::posix::stream_descriptor descriptor_;
  // Gone with this object: what the loop still holds then does nothing.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace bellwire::companion

#endif  // BELLWIRE_DEVICE_AGENT_COMPANION_AGENT_LOOP_H_
