#ifndef BELLWIRE_RPC_REGISTRY_ROUTER_H_
#define BELLWIRE_RPC_REGISTRY_ROUTER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/clock.h"
#include "rpc/registry_api.h"
#include "rpc/session_stream.h"

namespace bellwire {

// A fleet of registries as one: calls about a device go to the registry that owns it, what belongs
// to no device to the owner of that, and what any registry can tell to each in its turn. Where one
// registry has all, its calls go straight to it.
//
// A registry that is asked for what it does not own answers NOT_OWNER. The call follows to the
// owner that the answer names. If that one is not yet ready, the call waits a little for a newer
// map. It never asks one again that has refused, unless a newer map names it. In the end it answers
//   UNAVAILABLE REGISTRY_UNAVAILABLE, RetryInfo: nobody owns it now
// and otherwise what the registry answers, or its client.
//
// Of sessions it keeps one stream to each registry, once Open was called. The ConnectorEnd is told
// of each stream for the devices of its registry. Devices that get another registry are told as if
// their stream broke and opened again: their sessions ask the new one what they have missed.
//
// Thread-safe. Destroying it waits until every `done` was called: not to be done from one of them.
class RegistryRouter : public UnaryRegistryApi, public SessionStream {
 public:
  // Between two looks for a newer map, of a call that waits for one; and how many there are.
  static constexpr absl::Duration kMoveWait = absl::Milliseconds(20);
  static constexpr int kMaxMoveWaits = 40;
  // After a registry did not answer, what others can tell goes to them.
  static constexpr absl::Duration kAvoidFor = absl::Seconds(1);

  // What a registry is reached by. It does not connect before it is used.
  struct Client {
    std::unique_ptr<UnaryRegistryApi> unary;
    // Null for who has no sessions.
    std::unique_ptr<SessionStream> sessions;
  };

  struct Options {
    // The registry at "host:port". Empty: any of them, and the only one where there is one. Called
    // with a lock held: must not block, nor call the router.
    std::function<Client(const std::string& address)> connect;
    // Not owned; outlives the router.
    const Clock* clock = nullptr;
  };

  static std::unique_ptr<RegistryRouter> New(Options options);
};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_REGISTRY_ROUTER_H_
