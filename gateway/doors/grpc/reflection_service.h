#ifndef BELLWIRE_GATEWAY_DOORS_GRPC_REFLECTION_SERVICE_H_
#define BELLWIRE_GATEWAY_DOORS_GRPC_REFLECTION_SERVICE_H_

#include <list>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "gateway/admin/admin_credential.h"
#include "gateway/call/method_table.h"
#include "gateway/call/rpc_call.h"
#include "gateway/doors/grpc/drain_signal.h"
#include "gateway/doors/grpc/reflection.h"

namespace bellwire::gateway {

// grpc.reflection.v1alpha.ServerReflection, and its later name, v1: the messages are the same. At
// most kMaxReflectionStreams are open; with one more the oldest is cancelled, so that nobody keeps
// tools out by holding streams. A stream that comes with the admin token sees the admin API.
// Thread-safe; outlives its calls.
class ReflectionService {
 public:
  // None is owned; they outlive the service.
  ReflectionService(const Reflection* reflection, AdminCredential* credential, DrainSignal* drain)
      : reflection_(reflection), credential_(credential), drain_(drain) {}

  void AddTo(MethodTable* methods);

 private:
  class Stream;

  void Open(std::shared_ptr<RpcCall> call);
  bool IsAdmin(const RpcCall& call) const;
  void Remove(const Stream* stream) ABSL_LOCKS_EXCLUDED(mu_);

  const Reflection* const reflection_;
  AdminCredential* const credential_;
  DrainSignal* const drain_;
  absl::Mutex mu_;
  // Oldest first; without those that are cancelled.
  std::list<std::shared_ptr<Stream>> streams_ ABSL_GUARDED_BY(mu_);
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_GRPC_REFLECTION_SERVICE_H_
