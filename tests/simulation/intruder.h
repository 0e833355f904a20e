#ifndef BELLWIRE_TESTS_SIMULATION_INTRUDER_H_
#define BELLWIRE_TESTS_SIMULATION_INTRUDER_H_

#include <set>
#include <string>
#include <vector>

#include "common/ids.h"
#include "tests/simulation/backbone.h"
#include "tests/simulation/gateway_process.h"
#include "tests/simulation/model.h"
#include "tests/simulation/random.h"

namespace bellwire::simulation {

// A team that uses what is not its own: tokens of other teams, of other apps, of removed apps, and
// such as nobody ever made. Single-threaded.
class Intruder {
 public:
  // All must outlive it.
  Intruder(Backbone* backbone, Model* model, std::vector<GatewayProcess*> gateways, int devices,
           int apps, uint64_t seed);

  // One try.
  void Try();

 private:
  AppName AnyApp();
  // As `team`: sends to a token, or asks after, or takes back, a message sent to another one.
  void Send(int device, const std::string& team, const std::string& token, bool validate_only,
            std::set<std::string> allowed);
  void Ask(int device, const std::string& team, const std::string& token, const MessageId& id,
           std::set<std::string> allowed);
  void Recall(int device, const std::string& team, const std::string& token, const MessageId& id,
              std::set<std::string> allowed);

  Model* const model_;
  const int devices_;
  const int apps_;
  Random random_;
  GatewayClient gateways_;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_INTRUDER_H_
