#ifndef BELLWIRE_TESTS_SIMULATION_GATEWAY_PROCESS_H_
#define BELLWIRE_TESTS_SIMULATION_GATEWAY_PROCESS_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "crypto/token_sealer.h"
#include "gateway/send/message_calls.h"
#include "gateway/send/send_engine.h"
#include "net/loop/event_loop.h"
#include "rpc/registry_api.h"
#include "tests/simulation/backbone.h"
#include "tests/simulation/random.h"
#include "tests/simulation/skewed_clock.h"

namespace bellwire::simulation {

// A gateway behind its authentication: the real SendEngine and MessageCalls. Single-threaded.
class GatewayProcess {
 public:
  // What one life of it answers with.
  struct Life {
    explicit Life(GatewayProcess* process);
    ~Life();

    std::unique_ptr<UnaryRegistryApi> registry;
    std::unique_ptr<MailboxApi> mailboxes;
    gateway::SendEngine engine;
    gateway::MessageCalls calls;
  };

  // All must outlive it. `find_registry` as of NewRegistryClient.
  GatewayProcess(net::EventLoop* loop, Backbone* backbone, const TokenSealer* sealer,
                 std::string name, std::function<RegistryApi*()> find_registry);
  ~GatewayProcess();

  void Start();
  void Crash();
  bool up() const { return life_ != nullptr; }
  // Null while it is down.
  Life* life() { return life_.get(); }
  const TokenSealer& sealer() const { return *sealer_; }
  const std::string& name() const { return name_; }
  SkewedClock* clock() { return &clock_; }

 private:
  Backbone* const backbone_;
  const TokenSealer* const sealer_;
  const std::string name_;
  const std::function<RegistryApi*()> find_registry_;
  SkewedClock clock_;
  std::unique_ptr<Life> life_;
};

// Calls of one provider, or another outsider, to whichever gateway. Destroying it forgets them.
// Single-threaded.
class GatewayClient {
 public:
  // All must outlive it.
  GatewayClient(Backbone* backbone, std::string name, std::vector<GatewayProcess*> gateways,
                Random random)
      : backbone_(backbone),
        name_(std::move(name)),
        gateways_(std::move(gateways)),
        random_(random),
        calls_(backbone) {}

  // `serve(GatewayProcess::Life*, GatewayProcess*, done)` starts the call at the gateway.
  template <typename Response, typename Serve, typename Done>
  void Call(absl::Duration timeout, Serve serve, Done done) {
    using Answer = absl::StatusOr<Response>;
    GatewayProcess* const gateway = gateways_[random_.Below(gateways_.size())];
    Calls::Reply<Answer> reply = calls_.Begin<Answer>(
        std::move(done), timeout, [] { return Answer(absl::DeadlineExceededError("no answer")); });
    const std::optional<absl::Duration> there = backbone_->Travel(name_, gateway->name());
    if (!there.has_value()) return;
    backbone_->scheduler().After(*there, [backbone = backbone_, name = name_, gateway, reply,
                                          serve = std::move(serve)]() mutable {
      if (!gateway->up()) return reply(absl::UnavailableError("down"));
      serve(gateway->life(), gateway, [backbone, name, gateway, reply](Answer answer) {
        const std::optional<absl::Duration> back = backbone->Travel(gateway->name(), name);
        if (!back.has_value()) return;
        backbone->scheduler().After(*back, [reply, answer] { reply(answer); });
      });
    });
  }

 private:
  Backbone* const backbone_;
  const std::string name_;
  const std::vector<GatewayProcess*> gateways_;
  Random random_;
  Calls calls_;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_GATEWAY_PROCESS_H_
