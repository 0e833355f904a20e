#include "gateway/doors/grpc/unary_call.h"

#include <utility>

#include "rpc/grpc_status.h"

namespace bellwire::gateway {
namespace {

absl::Status GoElsewhere() {
  return ShuttingDown("Call again: with the same message id, where there is one.");
}

}  // namespace

std::shared_ptr<UnaryCall> UnaryCall::New(DrainSignal* drain) {
  std::shared_ptr<UnaryCall> call(new UnaryCall(drain));
  call->self_ = call;  // gRPC calls OnDone only after it got the reactor.
  if (!drain->Add(call)) call->Answer(GoElsewhere());
  return call;
}

void UnaryCall::Answer(const absl::Status& status, absl::FunctionRef<void()> fill) {
  if (answered_.exchange(true)) return;
  if (status.ok()) fill();
  Finish(ToGrpcStatus(status));
}

void UnaryCall::OnDrainOver() { Answer(GoElsewhere()); }

// gRPC has sent the answer.
void UnaryCall::OnDone() {
  drain_->Remove(this);
  const std::shared_ptr<UnaryCall> last = std::move(self_);
}

}  // namespace bellwire::gateway
