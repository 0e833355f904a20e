#ifndef BELLWIRE_GATEWAY_CALL_METHOD_TABLE_H_
#define BELLWIRE_GATEWAY_CALL_METHOD_TABLE_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/limits.h"
#include "gateway/call/rpc_call.h"
#include "gateway/call/unary_handle.h"

namespace bellwire::gateway {

struct Method {
  // Called for each call, on its thread. It finishes the call, now or later.
  std::function<void(std::shared_ptr<RpcCall> call)> start;
  // Of one request message, inflated.
  size_t max_request_bytes = kMaxProviderRequestBytes;
  // Looks at the bytes of a message before they are parsed; an error is the call's answer.
  std::function<absl::Status(absl::string_view message)> check;
  // The client sends any number of messages, and may pause between them.
  bool streams_requests = false;
  // Of a stream, between two messages of the client.
  absl::Duration idle_timeout = absl::InfiniteDuration();
  // Anybody may open streams of it: kMaxOpenStreamsPerConnection.
  bool open_to_all = false;
};

// The methods of services by their paths, such as "/bellwire.push.v1.PushService/Send". Filled
// before it is used, and never changed then.
class MethodTable {
 public:
  void Add(absl::string_view path, Method method) {
    methods_.insert_or_assign(std::string(path), std::move(method));
  }
  // `serve` gets each call.
  template <typename Request, typename Response>
  void AddUnary(absl::string_view path,
                std::function<void(std::shared_ptr<UnaryHandle<Request, Response>>)> serve,
                Method method = {}) {
    method.start = [serve = std::move(serve)](std::shared_ptr<RpcCall> call) {
      serve(std::make_shared<UnaryHandle<Request, Response>>(std::move(call)));
    };
    Add(path, std::move(method));
  }

  // Null: there is none.
  const Method* Find(absl::string_view path) const {
    const auto it = methods_.find(path);
    return it == methods_.end() ? nullptr : &it->second;
  }

 private:
  absl::flat_hash_map<std::string, Method> methods_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_CALL_METHOD_TABLE_H_
