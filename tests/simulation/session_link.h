#ifndef BELLWIRE_TESTS_SIMULATION_SESSION_LINK_H_
#define BELLWIRE_TESTS_SIMULATION_SESSION_LINK_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "rpc/connector_api.h"
#include "rpc/registry_api.h"
#include "rpc/session_stream.h"
#include "tests/simulation/backbone.h"

namespace bellwire::simulation {

class SessionLink;

// The registry's side of the streams of one of its lives, as GrpcSessionService is.
class SessionPort final : public ConnectorApi {
 public:
  // `on_gone` as of GrpcSessionService.
  SessionPort(SessionApi* registry, std::function<void(uint64_t incarnation)> on_gone)
      : registry_(registry), on_gone_(std::move(on_gone)) {}
  ~SessionPort() override { Close(); }
  // The process dies: breaks them.
  void Close();

  bool HandOver(internal::v1::ConnectorRequest request) override;

  // --- Of SessionLink. ---
  SessionApi* registry() { return registry_; }
  // The stream takes the place of an earlier one of its connector.
  void OnAttach(uint64_t incarnation, std::shared_ptr<SessionLink> link);
  void OnEnded(uint64_t incarnation, const SessionLink* link);

 private:
  SessionApi* const registry_;
  const std::function<void(uint64_t incarnation)> on_gone_;
  std::map<uint64_t, std::shared_ptr<SessionLink>> links_;
};

// The stream of one life of the connector `caller`, over the backbone: the two ends that ship
// (rpc/session_ends.h), and between them a way that is slow, keeps its order, and breaks. Each end
// notices after StreamPulse::kSilence. `find` answers null while the registry is down. Destroying
// it is the death of the connector.
std::unique_ptr<SessionStream> NewSessionStream(Backbone* backbone, std::string caller,
                                                std::function<SessionPort*()> find);

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_SESSION_LINK_H_
