#ifndef BELLWIRE_RPC_SESSION_STREAM_H_
#define BELLWIRE_RPC_SESSION_STREAM_H_

#include "bellwire/internal/v1/internal.pb.h"
#include "rpc/connector_api.h"
#include "rpc/registry_api.h"

namespace bellwire {

// The calls of a connector's sessions to registries in other processes, with the hand-overs that
// come back. Thread-safe after Open.
class SessionStream : public SessionApi {
 public:
  // Begins. `connector` is told what comes, of each registry on one thread at a time; it must
  // outlive Close. Comes once, before any call.
  virtual void Open(const internal::v1::Attach& attach, ConnectorEnd* connector) = 0;
  // Ends it, and waits for that: every call is answered, and `connector` is not called any more.
  // Not to be called from one of its callbacks.
  virtual void Close() = 0;
};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_SESSION_STREAM_H_
