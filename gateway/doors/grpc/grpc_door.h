#ifndef BELLWIRE_GATEWAY_DOORS_GRPC_GRPC_DOOR_H_
#define BELLWIRE_GATEWAY_DOORS_GRPC_GRPC_DOOR_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "gateway/call/method_table.h"
#include "gateway/doors/http/door.h"

namespace bellwire::gateway {

// gRPC as a door of the HTTP listener: finds the method of a call by its path, and gives it to the
// service as an RpcCall. What unmodified clients may rely on of gRPC's own server is here too:
// deadlines, compressed messages, trailers-only errors with their details, and its answers to calls
// of methods that don't exist.
//
// Thread-safe.
class GrpcDoor final : public http::Door {
 public:
  // `methods` outlives the door.
  explicit GrpcDoor(const MethodTable* methods) : methods_(methods) {}
  // REQUIRES: the listener is gone. Waits for calls that services still hold (AwaitNoCalls).
  ~GrpcDoor() override { AwaitNoCalls(); }

  bool Matches(const http::RequestHead& head) const override;
  std::unique_ptr<http::ExchangeHandler> Open(http::Exchange* exchange) override;

  // Until no service holds a call any more: what it uses may then be destroyed.
  void AwaitNoCalls();

 private:
  // Whether this connection may open one more stream that needs no credential; if so, `place` is
  // its.
  std::shared_ptr<const void> TakeOpenPlace(const std::string& connection);
  std::shared_ptr<const void> CountCall();

  const MethodTable* const methods_;
  absl::Mutex mutex_;
  size_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
  // Of each connection that has any.
  absl::flat_hash_map<std::string, size_t> open_streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_GRPC_GRPC_DOOR_H_
