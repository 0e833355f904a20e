#include "gateway/doors/grpc/grpc_call.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "gateway/doors/grpc/grpc_headers.h"
#include "google/protobuf/message.h"

namespace bellwire::gateway {
namespace {

constexpr int kHttpOk = 200;
constexpr http::HeaderView kContentType = {"content-type", "application/grpc"};

// A message of so many bytes may hold fields that nobody knows, which cost more than the message.
constexpr size_t kBytesWorthStripping = 16 * 1024;

absl::Status TimeoutStatus(http::ExchangeHandler::Timeout why) {
  using Timeout = http::ExchangeHandler::Timeout;
  switch (why) {
    case Timeout::kDeadline:
      return MakeError(absl::StatusCode::kDeadlineExceeded, "DEADLINE_EXCEEDED",
                       "The call's deadline is over.");
    case Timeout::kSlowBody:
      return MakeError(absl::StatusCode::kDeadlineExceeded, "REQUEST_TIMEOUT",
                       "The request did not come in time.");
    case Timeout::kNoMemory:
      return WithRetryAfter(
          MakeError(absl::StatusCode::kResourceExhausted, "OVERLOADED",
                    "Too many bytes of requests wait here, most of them from your address."),
          kOverloadedRetryAfter);
    case Timeout::kShutdown:
      return MakeError(absl::StatusCode::kUnavailable, "SHUTTING_DOWN",
                       "This gateway is shutting down. Call again, with the same message id where "
                       "there is one.");
  }
  return absl::InternalError("unreachable");
}

std::vector<http::HeaderView> Views(const http::HeaderList& headers) {
  std::vector<http::HeaderView> views;
  views.reserve(headers.size() + 1);
  for (const http::Header& header : headers) views.emplace_back(header.name, header.value);
  return views;
}

}  // namespace

// The exchange's side of a call.
class GrpcCall::Handler final : public http::ExchangeHandler {
 public:
  explicit Handler(std::shared_ptr<GrpcCall> call) : call_(std::move(call)) {}
  void OnBody(absl::string_view data) override { call_->OnBody(data); }
  void OnBodyEnd() override { call_->OnBodyEnd(); }
  void OnDrained() override { call_->Pump(); }
  void OnTimeout(Timeout why) override { call_->Abort(TimeoutStatus(why)); }
  void OnClosed() override { call_->OnClosed(); }

 private:
  const std::shared_ptr<GrpcCall> call_;
};

GrpcCall::GrpcCall(http::Exchange* exchange, const Method* method, MessageEncoding encoding,
                   std::shared_ptr<const void> alive)
    : metadata_(exchange->head().headers),
      peer_(exchange->peer()),
      thread_(exchange->thread()),
      method_(method),
      encoding_(encoding),
      alive_(std::move(alive)),
      exchange_(exchange) {}

std::unique_ptr<http::ExchangeHandler> GrpcCall::NewHandler() {
  if (method_->streams_requests) WaitForMore().IgnoreError();  // There are no bytes yet.
  return std::make_unique<Handler>(shared_from_this());
}

template <typename F>
void GrpcCall::OnThread(F&& f) {
  if (thread_->IsCurrent()) {
    f(*this);
  } else {
    thread_->Post([self = shared_from_this(), f = std::forward<F>(f)]() mutable { f(*self); });
  }
}

void GrpcCall::Read(google::protobuf::MessageLite* into, Done done) {
  OnThread([into, done = std::move(done)](GrpcCall& self) mutable {
    self.read_.emplace(PendingRead{into, std::move(done)});
    self.Pump();
  });
}

void GrpcCall::Write(const google::protobuf::MessageLite* message, Done done) {
  OnThread([message, done = std::move(done)](GrpcCall& self) mutable {
    self.write_.emplace(PendingWrite{message, std::move(done)});
    self.Pump();
  });
}

void GrpcCall::Finish(absl::Status status, const google::protobuf::MessageLite* last,
                      std::shared_ptr<const void> keep) {
  OnThread([status = std::move(status), last, keep = std::move(keep)](GrpcCall& self) {
    self.FinishNow(status, last);
  });
}

void GrpcCall::Cancel() {
  OnThread([](GrpcCall& self) {
    if (self.over_) return;
    self.over_ = true;
    self.on_cancel_ = nullptr;
    self.exchange_->Reset(http::Exchange::ResetReason::kCancel);
    self.Pump();
  });
}

void GrpcCall::OnCancel(absl::AnyInvocable<void() &&> on_cancel) {
  OnThread([on_cancel = std::move(on_cancel)](GrpcCall& self) mutable {
    if (self.over_) return std::move(on_cancel)();
    self.on_cancel_ = std::move(on_cancel);
  });
}

void GrpcCall::OnBody(absl::string_view data) {
  if (over_) return exchange_->Consume(data.size());
  body_.Append(data);
  Pump();
}

void GrpcCall::OnBodyEnd() {
  body_ended_ = true;
  Pump();
}

void GrpcCall::OnClosed() {
  exchange_ = nullptr;
  Abort(absl::CancelledError());
}

void GrpcCall::Pump() {
  if (pumping_) return;
  pumping_ = true;
  // A callback may read or write again.
  const std::shared_ptr<GrpcCall> self = shared_from_this();
  while ((read_.has_value() && TryRead()) || (write_.has_value() && TryWrite())) {
  }
  pumping_ = false;
}

bool GrpcCall::TryRead() {
  bool ok = false;
  if (!over_) {
    const absl::StatusOr<bool> read = ReadMessage(read_->into);
    if (!read.ok()) {
      Abort(read.status());
    } else if (!*read && !body_ended_) {
      return false;
    } else {
      ok = *read;
    }
  }
  Done done = std::move(read_->done);
  read_.reset();
  std::move(done)(ok);
  return true;
}

absl::StatusOr<bool> GrpcCall::ReadMessage(google::protobuf::MessageLite* into) {
  const absl::string_view body = body_.data();
  size_t bytes = kMessagePrefixBytes;
  bool compressed = false;
  if (body.size() >= kMessagePrefixBytes) {
    const absl::StatusOr<MessagePrefix> prefix =
        ParseMessagePrefix(body, encoding_, method_->max_request_bytes);
    if (!prefix.ok()) return prefix.status();
    bytes += prefix->bytes;
    compressed = prefix->compressed;
  }
  if (body.size() < bytes) {
    if (body_ended_ && !body.empty()) {
      return MakeError(absl::StatusCode::kInternal, "MALFORMED_MESSAGE",
                       "The request ends within a message.");
    }
    if (absl::Status status = WaitForMore(); !status.ok()) return status;
    return false;
  }
  absl::string_view message = body.substr(kMessagePrefixBytes, bytes - kMessagePrefixBytes);
  std::string inflated;
  if (compressed) {
    absl::StatusOr<std::string> result = Inflate(message, encoding_, method_->max_request_bytes);
    if (!result.ok()) return result.status();
    inflated = *std::move(result);
    message = inflated;
  }
  if (absl::Status status = Parse(message, into); !status.ok()) return status;
  Take(bytes);
  return true;
}

absl::Status GrpcCall::WaitForMore() {
  if (body_ended_) return absl::OkStatus();
  const bool between_messages = body_.empty();
  if (between_messages && method_->idle_timeout < absl::InfiniteDuration()) {
    exchange_->SetDeadline(exchange_->now() + method_->idle_timeout);
  }
  const bool allowed = between_messages && method_->streams_requests;
  if (allowed != pauses_allowed_) {
    pauses_allowed_ = allowed;
    exchange_->AllowPauses(allowed);
  }
  // The client may be out of window: what we hold of a message becomes ours.
  const size_t more = body_.size() - credited_;
  if (more == 0) return absl::OkStatus();
  if (!exchange_->Charge(more)) return TimeoutStatus(http::ExchangeHandler::Timeout::kNoMemory);
  exchange_->Consume(more);
  credited_ += more;
  return absl::OkStatus();
}

absl::Status GrpcCall::Parse(absl::string_view message, google::protobuf::MessageLite* into) const {
  if (method_->check) {
    if (absl::Status status = method_->check(message); !status.ok()) return status;
  }
  if (!into->ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return MakeError(absl::StatusCode::kInvalidArgument, "MALFORMED_REQUEST",
                     absl::StrCat("The request is no ", into->GetTypeName(), "."));
  }
  if (message.size() >= kBytesWorthStripping) {
    if (auto* full = dynamic_cast<google::protobuf::Message*>(into)) full->DiscardUnknownFields();
  }
  return absl::OkStatus();
}

void GrpcCall::Take(size_t bytes) {
  const size_t charged = std::min(bytes, credited_);
  exchange_->Discharge(charged);
  credited_ -= charged;
  if (bytes > charged) exchange_->Consume(bytes - charged);
  body_.Take(bytes);
}

bool GrpcCall::TryWrite() {
  const bool ok = !over_;
  if (ok) {
    if (exchange_->buffered_bytes() >= kHttpStreamBufferBytes) return false;
    std::string bytes;
    AppendMessage(*write_->message, &bytes);
    Respond();
    exchange_->Write(bytes);
  }
  Done done = std::move(write_->done);
  write_.reset();
  std::move(done)(ok);
  return true;
}

void GrpcCall::Respond() {
  if (std::exchange(responded_, true)) return;
  exchange_->Respond(kHttpOk, {kContentType, {"grpc-accept-encoding", kAcceptedEncodings}});
}

void GrpcCall::FinishNow(const absl::Status& status, const google::protobuf::MessageLite* last) {
  if (over_) return;
  over_ = true;
  on_cancel_ = nullptr;
  if (last != nullptr && status.ok()) {
    std::string bytes;
    AppendMessage(*last, &bytes);
    Respond();
    exchange_->Write(bytes);
  }
  const http::HeaderList trailers = StatusTrailers(status);
  std::vector<http::HeaderView> fields = Views(trailers);
  if (responded_) {
    exchange_->End(fields);
  } else {
    fields.insert(fields.begin(), kContentType);
    exchange_->RespondOnly(kHttpOk, fields);
  }
  // Nothing more is read: what is left goes back.
  if (!body_.empty()) Take(body_.size());
  Pump();
}

void GrpcCall::Abort(const absl::Status& status) {
  if (over_) return;
  absl::AnyInvocable<void()&&> on_cancel = std::exchange(on_cancel_, nullptr);
  if (exchange_ != nullptr) {
    FinishNow(status, nullptr);
  } else {
    over_ = true;
    Pump();
  }
  if (on_cancel) std::move(on_cancel)();
}

}  // namespace bellwire::gateway
