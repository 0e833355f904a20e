#ifndef BELLWIRE_TESTS_SIMULATION_MESSAGE_MAKER_H_
#define BELLWIRE_TESTS_SIMULATION_MESSAGE_MAKER_H_

#include <string>

#include "absl/time/time.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/ids.h"
#include "tests/simulation/model.h"
#include "tests/simulation/random.h"

namespace bellwire::simulation {

// What a provider sends: all that a request can say, at random.
struct MadeMessage {
  Model::Message message;
  // All but the payload.
  push::v1::SendRequest request;
};

// A message for the app that has `token`. `now` is the true time.
MadeMessage MakeMessage(Random& random, const AppName& to, const std::string& token,
                        absl::Time now);

// One message in four has an id that stands for one of its gateway's making: whoever sent it can't
// repeat it, because it is told the id with the answer only. (What gateways make is random, and a
// run must repeat itself.)
bool StandsForGatewayMade(const MessageId& id);

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_MESSAGE_MAKER_H_
