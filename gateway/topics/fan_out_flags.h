#ifndef BELLWIRE_GATEWAY_TOPICS_FAN_OUT_FLAGS_H_
#define BELLWIRE_GATEWAY_TOPICS_FAN_OUT_FLAGS_H_

#include <cstddef>

namespace CLI {
class App;
}

namespace bellwire::gateway {

// How a gateway fans topic messages out; the flags of `bellwire serve` and `bellwire-gateway` about
// it.
struct FanOutFlags {
  // Topic messages at a time: more would only share the same pace, and each holds a claim that
  // other gateways could have. 0: other gateways do it.
  size_t at_once = 4;
  // Messages a second that come of it at most. 0: as many as nobody else waits for.
  double most_per_second = 0;
};

// `flags` outlives the parse.
void AddFanOutFlags(CLI::App* app, FanOutFlags* flags);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_TOPICS_FAN_OUT_FLAGS_H_
