#ifndef BELLWIRE_GATEWAY_DOORS_GRPC_UNARY_CALL_H_
#define BELLWIRE_GATEWAY_DOORS_GRPC_UNARY_CALL_H_

#include <atomic>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "gateway/doors/grpc/drain_signal.h"
#include "grpcpp/support/server_callback.h"

namespace bellwire::gateway {

// One unary call between its arrival and its answer, which it gets exactly once: from whoever
// serves it, or SHUTTING_DOWN when a drain is over first. An answer that comes later has no effect.
//
// Owns itself until gRPC is done with it. Thread-safe.
class UnaryCall final : public grpc::ServerUnaryReactor, public DrainSignal::Listener {
 public:
  // The reactor for a call that just came in. If the server drains, the call is answered already.
  // `drain` outlives the call and its holds.
  static std::shared_ptr<UnaryCall> New(DrainSignal* drain);

  // Answers with `status`. If that is OK, `fill` writes the response first. It is not called if the
  // call was answered before: the response may be gone then.
  void Answer(
      const absl::Status& status, absl::FunctionRef<void()> fill = [] {});
  bool answered() const { return answered_; }

  void OnDone() override;
  void OnDrain() override {}
  void OnDrainOver() override;

 private:
  explicit UnaryCall(DrainSignal* drain) : drain_(drain), hold_(drain->Hold()) {}

  DrainSignal* const drain_;
  // What the call uses lives as long as the call does.
  const std::shared_ptr<void> hold_;
  // Set until OnDone.
  std::shared_ptr<UnaryCall> self_;
  std::atomic<bool> answered_ = false;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_GRPC_UNARY_CALL_H_
