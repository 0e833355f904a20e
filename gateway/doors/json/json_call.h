#ifndef BELLWIRE_GATEWAY_DOORS_JSON_JSON_CALL_H_
#define BELLWIRE_GATEWAY_DOORS_JSON_JSON_CALL_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "gateway/call/rpc_call.h"
#include "gateway/doors/http/whole_body.h"
#include "google/protobuf/message.h"

namespace bellwire::gateway {

// What a request says beside its body, put into the request message; the body too, where its method
// has one. REQUIRES: the message is of the type that the method reads.
using FillRequest = absl::AnyInvocable<absl::Status(const http::Request& request,
                                                    google::protobuf::Message* message) &&>;

// A call of a method of PushService that came as one HTTP request and is answered in JSON.
// Thread-safe, as RpcCall.
class JsonCall final : public RpcCall, public std::enable_shared_from_this<JsonCall> {
 public:
  JsonCall(http::Request request, FillRequest fill, http::Responder responder)
      : request_(std::move(request)), fill_(std::move(fill)), responder_(std::move(responder)) {}

  const http::HeaderList& metadata() const override { return request_.head.headers; }
  const std::string& peer() const override { return request_.peer; }
  // The message at the first call; none after it.
  void Read(google::protobuf::MessageLite* into, Done done) override;
  // Methods that stream go by an EventStreamCall.
  void Write(const google::protobuf::MessageLite*, Done done) override { std::move(done)(false); }
  using RpcCall::Finish;
  void Finish(absl::Status status, const google::protobuf::MessageLite* last,
              std::shared_ptr<const void> keep) override;
  void Cancel() override { Finish(absl::CancelledError("The call was cancelled.")); }
  void InTurn(absl::AnyInvocable<void() &&> task) override {
    request_.thread->PostInTurn(std::move(task));
  }
  // The answer of a call whose client is gone is dropped, which costs less than telling it.
  void OnCancel(absl::AnyInvocable<void() &&>) override {}

 private:
  // Without its body once that was read.
  http::Request request_;
  FillRequest fill_;
  http::Responder responder_;
  bool finished_ = false;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_JSON_JSON_CALL_H_
