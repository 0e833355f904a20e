#ifndef BELLWIRE_RPC_CONNECTOR_API_H_
#define BELLWIRE_RPC_CONNECTOR_API_H_

#include <functional>

#include "absl/strings/string_view.h"
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

// A connector, as the streams that it keeps to registries see it. Registries that share a store
// have a stream each. Thread-safe.
class ConnectorEnd : public ConnectorApi {
 public:
  // Devices, by their ids: whose registry it is about. Empty: all of them. Pure and thread-safe; it
  // may outlive whoever made it.
  using Devices = std::function<bool(absl::string_view device_id)>;

  // The stream of these devices' registry broke, or they have got another registry: every call on
  // the stream was answered. What was handed over meanwhile may be lost.
  virtual void OnStreamBroken(const Devices& devices) = 0;
  // There is a stream to their registry, again or for the first time; it may have handed something
  // over already.
  virtual void OnStreamOpened(const Devices& devices) = 0;
};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_CONNECTOR_API_H_
