#ifndef BELLWIRE_DEVICE_AGENT_COMPANION_UNIFIEDPUSH_CONNECTORS_H_
#define BELLWIRE_DEVICE_AGENT_COMPANION_UNIFIEDPUSH_CONNECTORS_H_

#include <functional>
#include <string>

#include "device-agent/companion/unifiedpush/arguments.h"

namespace bellwire::companion {

// One call to the object /org/unifiedpush/Connector of an app.
struct ConnectorCall {
  enum class Method { kMessage, kNewEndpoint, kUnregistered };
  Method method = Method::kMessage;
  // Whether to Connector1 or Connector2.
  Generation generation = Generation::k2;
  // A bus name; a well-known one starts its app if it is not running.
  std::string destination;
  // Empty: left out (Connector2), or said as "" (Connector1).
  std::string token;
  // kMessage: the message's id. kNewEndpoint: the endpoint.
  std::string text;
  // kMessage only.
  std::string payload;
};

enum class CallOutcome {
  // The app returned.
  kAnswered,
  // The app is not there and could not be started, died over it, or answered with an error.
  kFailed,
  // Nothing came until the time was over.
  kUnanswered,
};

// The apps on the session bus, as the distributor sees them: a bus, or a fake. Single-threaded; no
// function that is passed in is called before the method has returned.
class Connectors {
 public:
  virtual ~Connectors() = default;
  // The unique name (":1.42") of the connection that owns `service` now; "" if none does.
  virtual void FindOwner(const std::string& service,
                         std::function<void(const std::string& owner)> found) = 0;
  // Calls `done` once, after a bounded time at the latest.
  virtual void Call(const ConnectorCall& call, std::function<void(CallOutcome)> done) = 0;
  // From now on Distributor::OnServiceAppeared is called whenever an app takes this name.
  virtual void Watch(const std::string& service) = 0;
  virtual void Unwatch(const std::string& service) = 0;
};

}  // namespace bellwire::companion

#endif  // BELLWIRE_DEVICE_AGENT_COMPANION_UNIFIEDPUSH_CONNECTORS_H_
