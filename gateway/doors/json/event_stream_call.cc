#include "gateway/doors/json/event_stream_call.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/doors/json/message_json.h"
#include "gateway/doors/json/rest_error.h"

namespace bellwire::gateway {
namespace {

// A service is idle at least every kMaxReceiptWait, 5 s; proxies end what is silent for a minute.
constexpr int kIdlesPerComment = 3;

// Browsers come back after a second, not three, once the server ends a stream.
constexpr absl::string_view kFirst = "retry: 1000\n\n";

// The fields of an event are lines: neither a cursor nor compact JSON has a line end.
std::string ReceiptEvent(const push::v1::WatchReceiptsResponse& response) {
  // Without data no event is dispatched, and the id counts.
  if (!response.has_receipt()) return absl::StrCat("id: ", response.cursor(), "\n\n");
  return absl::StrCat("id: ", response.cursor(), "\ndata: ", MessageToJson(response), "\n\n");
}

std::string EndEvent(const absl::Status& why) {
  if (why.ok()) return "event: end\ndata: {}\n\n";
  return absl::StrCat("event: end\ndata: ", ErrorToJson(why, HttpStatusOf(why)), "\n\n");
}

void WriteEnd(const std::shared_ptr<http::ReplyStream>& stream, std::string end) {
  stream->Write(std::move(end), [stream](bool) { stream->End(); });
}

}  // namespace

void EventStreamCall::Read(google::protobuf::MessageLite* into, Done done) {
  if (!fill_) return std::move(done)(false);
  FillRequest fill = std::exchange(fill_, nullptr);
  // Whatever a service reads is a full message.
  absl::Status filled = std::move(fill)(request_, static_cast<google::protobuf::Message*>(into));
  const bool ok = filled.ok();
  if (!ok) Finish(std::move(filled));
  std::move(done)(ok);
}

void EventStreamCall::Write(const google::protobuf::MessageLite* message, Done done) {
  WriteBytes(ReceiptEvent(*static_cast<const push::v1::WatchReceiptsResponse*>(message)),
             std::move(done));
}

void EventStreamCall::Idle(Done done) {
  bool quiet;
  {
    absl::MutexLock lock(&mutex_);
    // The first comment begins the answer, so that the client knows that it is heard.
    quiet = stream_ != nullptr && !finished_ && ++idle_ < kIdlesPerComment;
  }
  if (quiet) return std::move(done)(true);
  WriteBytes(":\n\n", std::move(done));
}

void EventStreamCall::OnCancel(absl::AnyInvocable<void() &&> on_cancel) {
  absl::MutexLock lock(&mutex_);
  if (!finished_) on_cancel_ = std::move(on_cancel);
}

void EventStreamCall::WriteBytes(std::string bytes, Done done) {
  std::shared_ptr<http::ReplyStream> stream;
  bool first = false;
  {
    absl::MutexLock lock(&mutex_);
    if (!finished_) {
      if (stream_ == nullptr) {
        first = true;
        stream_ = responder_->Stream(
            200, {{"content-type", "text/event-stream"}, {"cache-control", "no-store"}});
        responder_.reset();
      }
      idle_ = 0;
      writing_ = true;
      stream = stream_;
    }
  }
  if (stream == nullptr) return std::move(done)(false);
  if (first) {
    bytes.insert(0, kFirst.data(), kFirst.size());
    stream->OnClosed([self = shared_from_this()] { self->OnClosed(); });
  }
  stream->Write(std::move(bytes), [self = shared_from_this(), done = std::move(done)](
                                      bool ok) mutable { self->OnWritten(ok, std::move(done)); });
}

void EventStreamCall::OnWritten(bool ok, Done done) {
  std::string end;
  std::shared_ptr<http::ReplyStream> stream;
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (finished_) {
      ok = false;
      end = std::move(end_);
      stream = std::exchange(stream_, nullptr);
    }
  }
  if (stream != nullptr) WriteEnd(stream, std::move(end));
  std::move(done)(ok);
}

void EventStreamCall::OnClosed() {
  absl::AnyInvocable<void() &&> on_cancel;
  {
    absl::MutexLock lock(&mutex_);
    on_cancel = std::exchange(on_cancel_, nullptr);
  }
  if (on_cancel) std::move(on_cancel)();
}

void EventStreamCall::Finish(absl::Status status, const google::protobuf::MessageLite*,
                             std::shared_ptr<const void>) {
  std::optional<http::Responder> responder;
  std::shared_ptr<http::ReplyStream> stream;
  {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(finished_, true)) return;
    on_cancel_ = nullptr;
    if (responder_.has_value()) {
      responder.emplace(*std::move(responder_));
      responder_.reset();
    } else if (writing_) {
      end_ = EndEvent(status);
    } else {
      stream = std::exchange(stream_, nullptr);
    }
  }
  if (responder.has_value()) {
    if (status.ok()) return responder->Send({.status = 204});
    return responder->Send(ErrorReply(status));
  }
  if (stream != nullptr) WriteEnd(stream, EndEvent(status));
}

}  // namespace bellwire::gateway
