#ifndef BELLWIRE_RPC_CONNECTOR_API_H_
#define BELLWIRE_RPC_CONNECTOR_API_H_

#include "bellwire/internal/v1/internal.pb.h"

namespace bellwire {

// Where a registry hands over what its commits made deliverable. Thread-safe, never blocks.
class ConnectorApi {
 public:
  virtual ~ConnectorApi() = default;

  // Hands the request to the session of its route. Requests of one thread arrive in their order.
  // False: it will not come there; the connector is not known, or has no room. A session that
  // misses a message so hears of it later (Missed, internal.proto), or resumes.
  virtual bool HandOver(internal::v1::ConnectorRequest request) = 0;
};

// A connector, as the streams that it keeps to registries see it.
class ConnectorEnd : public ConnectorApi {
 public:
  // A stream broke: every call on it was answered, and nothing more comes from it. What the
  // registry handed over meanwhile may be lost.
  virtual void OnStreamBroken() = 0;
  // There is a stream, again or for the first time; it may have handed something over already.
  virtual void OnStreamOpened() = 0;
};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_CONNECTOR_API_H_
