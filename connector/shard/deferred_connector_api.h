#ifndef BELLWIRE_CONNECTOR_SHARD_DEFERRED_CONNECTOR_API_H_
#define BELLWIRE_CONNECTOR_SHARD_DEFERRED_CONNECTOR_API_H_

#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "rpc/connector_api.h"

namespace bellwire::connector {

// Stands in for a connector that is about to start. The internal port has to listen first, because
// its real address goes into the routes; a request may come as soon as the first route exists,
// which is before the starting thread gets to say so. Requests wait until Set, at most
// kMaxConnectorInFlight of them (OVERLOADED beyond). Thread-safe.
class DeferredConnectorApi final : public ConnectorApi {
 public:
  // Answers NO_SESSION to whoever still waits.
  ~DeferredConnectorApi() override;

  // From now on everything goes to `target`. Call it once; `target` must outlive the calls.
  void Set(ConnectorApi* target);

  void Exchange(internal::v1::ConnectorRequest request, ExchangeDone done) override;

 private:
  struct Waiting {
    internal::v1::ConnectorRequest request;
    ExchangeDone done;
  };

  absl::Mutex mutex_;
  ConnectorApi* target_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::vector<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SHARD_DEFERRED_CONNECTOR_API_H_
