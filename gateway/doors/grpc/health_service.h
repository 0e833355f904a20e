#ifndef BELLWIRE_GATEWAY_DOORS_GRPC_HEALTH_SERVICE_H_
#define BELLWIRE_GATEWAY_DOORS_GRPC_HEALTH_SERVICE_H_

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "gateway/call/method_table.h"
#include "gateway/call/rpc_call.h"

namespace bellwire::gateway {

// grpc.health.v1.Health: SERVING until the server drains, then NOT_SERVING; of the server as a whole,
// the empty name, and of no service by name. Needs no credential, so its streams are few for each
// connection (kMaxOpenStreamsPerConnection). Thread-safe; outlives its calls.
class HealthService {
 public:
  void AddTo(MethodTable* methods);

  // Tells everybody who watches that the server goes, and ends their streams.
  void SetNotServing();

 private:
  class Watcher;
  struct Answer;

  bool serving() const;
  void Watch(std::shared_ptr<RpcCall> call);

  mutable absl::Mutex mutex_;
  bool serving_ ABSL_GUARDED_BY(mutex_) = true;
  absl::flat_hash_set<std::shared_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_GRPC_HEALTH_SERVICE_H_
