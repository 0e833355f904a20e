#ifndef BELLWIRE_GATEWAY_SEND_ACK_WAIT_H_
#define BELLWIRE_GATEWAY_SEND_ACK_WAIT_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "rpc/connector_api.h"

namespace bellwire::gateway {

// Asks `connector` (Deliver with wait_for_ack) and calls `done` exactly once, on any thread: with
// true once the device has acknowledged, with false on any other answer, or when `wait` (of
// monotonic time) is over first. An answer that comes later has no effect. May call `done` before
// it returns.
void WaitForAck(ConnectorApi* connector, internal::v1::ConnectorRequest request,
                absl::Duration wait, absl::AnyInvocable<void(bool acked) &&> done);

using AckWaitFunction = decltype(WaitForAck);

// Waits that can be ended all together, so that a server can go. Thread-safe. It may be destroyed before its waits are over.
class AckWaits {
 public:
  AckWaits();
  // As WaitForAck; after EndAll the connector is asked, and not waited for.
  void Wait(ConnectorApi* connector, internal::v1::ConnectorRequest request, absl::Duration wait,
            absl::AnyInvocable<void(bool acked) &&> done);
  // Calls each `done` that was not called yet, with false.
  void EndAll();

 private:
  struct Live;
  const std::shared_ptr<Live> live_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_SEND_ACK_WAIT_H_
