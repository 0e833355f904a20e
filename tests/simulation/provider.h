#ifndef BELLWIRE_TESTS_SIMULATION_PROVIDER_H_
#define BELLWIRE_TESTS_SIMULATION_PROVIDER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bellwire/push/v1/push.pb.h"
#include "net/loop/event_loop.h"
#include "tests/simulation/backbone.h"
#include "tests/simulation/gateway_process.h"
#include "tests/simulation/model.h"
#include "tests/simulation/random.h"
#include "tests/simulation/scheduler.h"

namespace bellwire::simulation {

// The app backends of all teams: they send to the tokens that apps have, take some messages back,
// and repeat what got no answer with the same message id, through whichever gateway.
// Single-threaded.
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

  // From now on, until Stop. What is under way then goes on.
  void Start();
  void Stop() { sending_ = false; }
  // Sends so many to one app, if it has a token.
  void SendMany(const AppName& to, int messages);

 private:
  void SendNext(int device);
  void Send(const AppName& to, const std::string& token);
  void Try(uint64_t number, std::shared_ptr<const push::v1::SendRequest> request, int attempt);
  void OnAnswer(uint64_t number, std::shared_ptr<const push::v1::SendRequest> request, int attempt,
                absl::StatusOr<push::v1::SendResponse> answer);
  void Recall(uint64_t number, int attempt);

  net::EventLoop* const loop_;
  Model* const model_;
  const Options options_;
  Random random_;
  std::vector<Random> device_random_;
  Scheduler plans_;
  GatewayClient gateways_;
  bool sending_ = false;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_PROVIDER_H_
