#ifndef BELLWIRE_GATEWAY_DOORS_GRPC_TOPIC_SERVICE_H_
#define BELLWIRE_GATEWAY_DOORS_GRPC_TOPIC_SERVICE_H_

#include <cstddef>

#include "absl/strings/string_view.h"
#include "gateway/auth/authenticator.h"
#include "gateway/call/method_table.h"
#include "gateway/doors/grpc/provider_method.h"
#include "gateway/topics/topic_engine.h"

namespace bellwire::gateway {

// bellwire.push.v1.TopicService: authenticates each call and passes it on. Thread-safe; outlives
// its calls.
class TopicService {
 public:
  // Not owned; they outlive the service.
  TopicService(Authenticator* authenticator, TopicEngine* engine)
      : authenticator_(authenticator), engine_(engine) {}

  void AddTo(MethodTable* methods);

 private:
  template <typename Request, typename Response, typename Serve>
  void Add(MethodTable* methods, absl::string_view name, Access access, size_t max_request_bytes,
           Serve serve);

  Authenticator* const authenticator_;
  TopicEngine* const engine_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_GRPC_TOPIC_SERVICE_H_
