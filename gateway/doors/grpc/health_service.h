#ifndef BELLWIRE_GATEWAY_DOORS_GRPC_HEALTH_SERVICE_H_
#define BELLWIRE_GATEWAY_DOORS_GRPC_HEALTH_SERVICE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "gateway/call/method_table.h"
#include "gateway/call/rpc_call.h"

namespace bellwire::gateway {

// grpc.health.v1.Health: of the server as a whole, the empty name, and of each service by its name.
// SERVING, and NOT_SERVING while the store fails and once the server drains. Needs no credential,
// so its streams are few for each connection (kMaxOpenStreamsPerConnection). Thread-safe; outlives
// its calls.
class HealthService {
 public:
  // `services`: the names of those that are served beside it.
  explicit HealthService(std::vector<std::string> services);

  void AddTo(MethodTable* methods);

  // Whether calls can be served for now; those who watch are told. Starts true.
  void SetStoreOk(bool ok);
  // Tells everybody who watches that the server goes, and ends their streams.
  void SetNotServing();

 private:
  class Watcher;
  struct Answer;

  bool serving() const;
  bool Knows(absl::string_view service) const { return services_.contains(service); }
  void Watch(std::shared_ptr<RpcCall> call);

  absl::flat_hash_set<std::string> services_;
  mutable absl::Mutex mutex_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool store_ok_ ABSL_GUARDED_BY(mutex_) = true;
  absl::flat_hash_set<std::shared_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_GRPC_HEALTH_SERVICE_H_
