#ifndef BELLWIRE_TESTS_SIMULATION_PROVIDER_H_
#define BELLWIRE_TESTS_SIMULATION_PROVIDER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bellwire/push/v1/push.pb.h"
#include "net/event_loop.h"
#include "tests/simulation/backbone.h"
#include "tests/simulation/gateway_process.h"
#include "tests/simulation/model.h"
#include "tests/simulation/random.h"
#include "tests/simulation/scheduler.h"

namespace bellwire::simulation {

// The app backends of all teams: they send to the tokens that apps have, and repeat what got no
// answer with the same message id, through whichever gateway. Single-threaded.
class Provider {
 public:
  struct Options {
    uint64_t seed = 0;
    int devices = 0;
    int apps = 0;
    // Of one device.
    double messages_per_day = 0;
  };

  // All must outlive it.
  Provider(net::EventLoop* loop, Backbone* backbone, Model* model,
           std::vector<GatewayProcess*> gateways, Options options);

  static std::string TeamOf(int app) { return app % 2 == 0 ? "evenevenev" : "oddoddoddo"; }

  // From now on, until Stop. What is under way then goes on.
  void Start();
  void Stop() { sending_ = false; }

 private:
  void SendNext(int device);
  void Send(const AppName& to, const std::string& token);
  void Try(uint64_t number, int app, std::shared_ptr<const push::v1::SendRequest> request,
           int attempt);
  void OnAnswer(uint64_t number, int app, std::shared_ptr<const push::v1::SendRequest> request,
                int attempt, absl::StatusOr<push::v1::SendResponse> answer);
  MessageId NewId();

  Backbone* const backbone_;
  net::EventLoop* const loop_;
  Model* const model_;
  const std::vector<GatewayProcess*> gateways_;
  const Options options_;
  Random random_;
  std::vector<Random> device_random_;
  Scheduler plans_;
  Calls calls_;
  bool sending_ = false;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_PROVIDER_H_
