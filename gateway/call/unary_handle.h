#ifndef BELLWIRE_GATEWAY_CALL_UNARY_HANDLE_H_
#define BELLWIRE_GATEWAY_CALL_UNARY_HANDLE_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/error.h"
#include "gateway/call/rpc_call.h"

namespace bellwire::gateway {

// A call with one request and one response. Whoever holds the last reference without an answer
// answers INTERNAL. Thread-safe.
template <typename Request, typename Response>
class UnaryHandle final : public std::enable_shared_from_this<UnaryHandle<Request, Response>> {
 public:
  explicit UnaryHandle(std::shared_ptr<RpcCall> call) : call_(std::move(call)) {}
  ~UnaryHandle() {
    if (finished_) return;
    const absl::Status dropped = absl::InternalError("The call was dropped.");
    if (on_finish_) std::move(on_finish_)(dropped);
    call_->Finish(dropped);
  }
  UnaryHandle(const UnaryHandle&) = delete;
  UnaryHandle& operator=(const UnaryHandle&) = delete;

  const http::HeaderList& metadata() const { return call_->metadata(); }
  const std::string& peer() const { return call_->peer(); }

  // Asks for the request. `then` isn't called if there is none: the call is answered then.
  void Receive(absl::AnyInvocable<void(Request request) &&> then) {
    call_->Read(&request_,
                [self = this->shared_from_this(), then = std::move(then)](bool ok) mutable {
                  if (ok) {
                    std::move(then)(std::move(self->request_));
                  } else {
                    self->Finish(MakeError(absl::StatusCode::kInvalidArgument, "MISSING_REQUEST",
                                           "The call has no request message."));
                  }
                });
  }

  // As RpcCall::InTurn.
  void InTurn(absl::AnyInvocable<void() &&> task) { call_->InTurn(std::move(task)); }

  // Called with the answer, right before it is sent; or with why there is none. At most once, and
  // before Finish.
  void OnFinish(absl::AnyInvocable<void(const absl::StatusOr<Response>& response) &&> on_finish) {
    on_finish_ = std::move(on_finish);
  }

  // Once.
  void Finish(absl::StatusOr<Response> response) {
    finished_ = true;
    if (on_finish_) std::move(on_finish_)(response);
    if (!response.ok()) return call_->Finish(std::move(response).status());
    response_ = *std::move(response);
    call_->Finish(absl::OkStatus(), &response_, this->shared_from_this());
  }

 private:
  const std::shared_ptr<RpcCall> call_;
  absl::AnyInvocable<void(const absl::StatusOr<Response>& response) &&> on_finish_;
  bool finished_ = false;
  Request request_;
  Response response_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_CALL_UNARY_HANDLE_H_
