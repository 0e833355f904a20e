#ifndef BELLWIRE_GATEWAY_DOORS_GRPC_GRPC_CALL_H_
#define BELLWIRE_GATEWAY_DOORS_GRPC_GRPC_CALL_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/call/method_table.h"
#include "gateway/call/rpc_call.h"
#include "gateway/doors/grpc/message_codec.h"
#include "gateway/doors/http/door.h"
#include "net/socket/write_buffer.h"

namespace bellwire::gateway {

// A call of gRPC over one exchange. Bytes of the request are taken from the connection when the
// service reads, and not before: a service that doesn't read holds its client up by flow control.
//
// Shared by the service, on any thread, and the exchange, on its thread.
class GrpcCall final : public RpcCall, public std::enable_shared_from_this<GrpcCall> {
 public:
  // `method` outlives the call. `alive` is kept until the call is gone.
  GrpcCall(http::Exchange* exchange, const Method* method, MessageEncoding encoding,
           std::shared_ptr<const void> alive);

  // Of `exchange`, for Door::Open.
  std::unique_ptr<http::ExchangeHandler> NewHandler();

  // --- RpcCall ---
  const http::HeaderList& metadata() const override { return metadata_; }
  const std::string& peer() const override { return peer_; }
  void Read(google::protobuf::MessageLite* into, Done done) override;
  void Write(const google::protobuf::MessageLite* message, Done done) override;
  using RpcCall::Finish;
  void Finish(absl::Status status, const google::protobuf::MessageLite* last,
              std::shared_ptr<const void> keep) override;
  void Cancel() override;
  void InTurn(absl::AnyInvocable<void() &&> task) override { thread_->PostInTurn(std::move(task)); }
  void OnCancel(absl::AnyInvocable<void() &&> on_cancel) override;

 private:
  class Handler;
  struct PendingRead {
    google::protobuf::MessageLite* into;
    Done done;
  };
  struct PendingWrite {
    const google::protobuf::MessageLite* message;
    Done done;
  };

  // Now, if the caller is on the exchange's thread; else there, soon.
  template <typename F>
  void OnThread(F&& f);

  // The rest is for the exchange's thread.
  void OnBody(absl::string_view data);
  void OnBodyEnd();
  void OnTimeout(http::ExchangeHandler::Timeout why);
  void OnClosed();

  // Does what can be done of the read and the write that are pending.
  void Pump();
  // Both say whether they are done, and then `done` was called.
  bool TryRead();
  bool TryWrite();
  // Whether the next message is complete, and was parsed; an error ends the call.
  absl::StatusOr<bool> ReadMessage(google::protobuf::MessageLite* into);
  // Gives the client time and window for the rest of a message, or for the next one.
  absl::Status WaitForMore();
  absl::Status Parse(absl::string_view message, google::protobuf::MessageLite* into) const;
  void Take(size_t bytes);
  void Respond();
  void FinishNow(const absl::Status& status, const google::protobuf::MessageLite* last);
  // As FinishNow, for an end that the service doesn't know of.
  void Abort(const absl::Status& status);

  const http::HeaderList metadata_;
  const std::string peer_;
  const std::shared_ptr<http::CallThread> thread_;
  const Method* const method_;
  const MessageEncoding encoding_;
  const std::shared_ptr<const void> alive_;

  // Null once it is closed.
  http::Exchange* exchange_;
  // Finished, or closed.
  bool over_ = false;
  bool responded_ = false;
  bool body_ended_ = false;
  bool pumping_ = false;
  bool pauses_allowed_ = false;
  std::optional<PendingRead> read_;
  std::optional<PendingWrite> write_;
  absl::AnyInvocable<void() &&> on_cancel_;
  // Of the body, not yet read. Its first `credited_` bytes are taken from the connection and
  // charged to this call, since the message that they begin is longer than the window.
  net::WriteBuffer body_;
  size_t credited_ = 0;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_GRPC_GRPC_CALL_H_
