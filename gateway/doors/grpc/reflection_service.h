#ifndef BELLWIRE_GATEWAY_DOORS_GRPC_REFLECTION_SERVICE_H_
#define BELLWIRE_GATEWAY_DOORS_GRPC_REFLECTION_SERVICE_H_

#include <list>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "gateway/admin/admin_credential.h"
#include "gateway/doors/grpc/drain_signal.h"
#include "gateway/doors/grpc/reflection.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

namespace bellwire::gateway {

// grpc.reflection.v1alpha.ServerReflection on gRPC's callback API: a stream takes no thread, which
// gRPC's own plugin gives to each. At most kMaxReflectionStreams are open; with one more the oldest
// is cancelled, so that nobody keeps tools out by holding streams. A stream that comes with the
// admin token sees the admin API. Thread-safe; outlives its calls.
class ReflectionService final
    : public grpc::reflection::v1alpha::ServerReflection::CallbackService {
 public:
  // None is owned; they outlive the service.
  ReflectionService(const Reflection* reflection, AdminCredential* credential, DrainSignal* drain)
      : reflection_(reflection), credential_(credential), drain_(drain) {}

  grpc::ServerBidiReactor<grpc::reflection::v1alpha::ServerReflectionRequest,
                          grpc::reflection::v1alpha::ServerReflectionResponse>*
  ServerReflectionInfo(grpc::CallbackServerContext* context) override;

 private:
  class Stream;

  bool IsAdmin(const grpc::CallbackServerContext& context) const;
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
