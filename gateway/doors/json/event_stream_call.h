#ifndef BELLWIRE_GATEWAY_DOORS_JSON_EVENT_STREAM_CALL_H_
#define BELLWIRE_GATEWAY_DOORS_JSON_EVENT_STREAM_CALL_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "bellwire/push/v1/push.pb.h"
#include "gateway/call/rpc_call.h"
#include "gateway/doors/http/whole_body.h"
#include "gateway/doors/json/json_call.h"

namespace bellwire::gateway {

// A call of PushService/WatchReceipts, or of another method that streams WatchReceiptsResponses, as
// server-sent events (HTML, 9.2): an event a receipt, whose id is the cursor behind it and whose
// data is the response in JSON. Where the service has nothing to say, a comment shows every 15 s or
// so that the stream lives. The last event, "end", says why the server ends it; an error before the
// first event is an ordinary answer.
//
// Thread-safe, as RpcCall.
class EventStreamCall final : public RpcCall, public std::enable_shared_from_this<EventStreamCall> {
 public:
  // `fill` makes the request of the method that streams.
  EventStreamCall(http::Request request, FillRequest fill, http::Responder responder)
      : request_(std::move(request)), fill_(std::move(fill)), responder_(std::move(responder)) {}

  const http::HeaderList& metadata() const override { return request_.head.headers; }
  const std::string& peer() const override { return request_.peer; }
  // The message at the first call; none after it.
  void Read(google::protobuf::MessageLite* into, Done done) override;
  // A WatchReceiptsResponse.
  void Write(const google::protobuf::MessageLite* message, Done done) override;
  void Idle(Done done) override;
  using RpcCall::Finish;
  void Finish(absl::Status status, const google::protobuf::MessageLite* last,
              std::shared_ptr<const void> keep) override;
  void Cancel() override { Finish(absl::CancelledError("The call was cancelled.")); }
  void InTurn(absl::AnyInvocable<void() &&> task) override {
    request_.thread->PostInTurn(std::move(task));
  }
  void OnCancel(absl::AnyInvocable<void() &&> on_cancel) override;

 private:
  void WriteBytes(std::string bytes, Done done);
  void OnWritten(bool ok, Done done);
  // The client is gone.
  void OnClosed();

  const http::Request request_;
  // Touched by Read only.
  FillRequest fill_;

  // Never held while anything is called that may call back.
  absl::Mutex mutex_;
  // Until the answer begins.
  std::optional<http::Responder> responder_ ABSL_GUARDED_BY(mutex_);
  // From then on.
  std::shared_ptr<http::ReplyStream> stream_ ABSL_GUARDED_BY(mutex_);
  absl::AnyInvocable<void() &&> on_cancel_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  // What is written last, once no other write is under way.
  std::string end_ ABSL_GUARDED_BY(mutex_);
  // Idle without a Write since.
  int idle_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_JSON_EVENT_STREAM_CALL_H_
