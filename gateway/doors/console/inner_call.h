#ifndef BELLWIRE_GATEWAY_DOORS_CONSOLE_INNER_CALL_H_
#define BELLWIRE_GATEWAY_DOORS_CONSOLE_INNER_CALL_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/call/method_table.h"
#include "gateway/call/rpc_call.h"
#include "gateway/doors/http/call_thread.h"
#include "google/protobuf/message.h"

namespace bellwire::gateway {

// A call of a unary method by the console, in the place of an administrator: the method sees a
// bearer token in the metadata, as of a call by gRPC, and checks role and writes the audit log as
// for that. Thread-safe, as RpcCall.
class InnerCall final : public RpcCall {
 public:
  // Puts the request into the method's message; an error is the call's answer.
  using Fill = absl::AnyInvocable<absl::Status(google::protobuf::Message* into) &&>;
  // Called once, on any thread. `answer` lives during the call and is not null if `status` is OK.
  using Then = absl::AnyInvocable<void(const absl::Status& status,
                                       const google::protobuf::Message* answer) &&>;

  // `thread` is where pieces of something long have their turns.
  InnerCall(absl::string_view admin_token, std::string peer,
            std::shared_ptr<http::CallThread> thread, Fill fill, Then then)
      : metadata_{{"authorization", "Bearer " + std::string(admin_token)}},
        peer_(std::move(peer)),
        thread_(std::move(thread)),
        fill_(std::move(fill)),
        then_(std::move(then)) {}

  const http::HeaderList& metadata() const override { return metadata_; }
  const std::string& peer() const override { return peer_; }
  void Read(google::protobuf::MessageLite* into, Done done) override;
  // Of methods that stream, which are called otherwise.
  void Write(const google::protobuf::MessageLite*, Done done) override { std::move(done)(false); }
  using RpcCall::Finish;
  void Finish(absl::Status status, const google::protobuf::MessageLite* last,
              std::shared_ptr<const void> keep) override;
  void Cancel() override { Finish(absl::CancelledError("The call was cancelled.")); }
  void InTurn(absl::AnyInvocable<void() &&> task) override { thread_->PostInTurn(std::move(task)); }
  // The answer of a call whose client is gone is dropped, which costs less than telling it.
  void OnCancel(absl::AnyInvocable<void() &&>) override {}

 private:
  const http::HeaderList metadata_;
  const std::string peer_;
  const std::shared_ptr<http::CallThread> thread_;
  Fill fill_;
  Then then_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_CONSOLE_INNER_CALL_H_
