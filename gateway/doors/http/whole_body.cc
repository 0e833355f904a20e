#include "gateway/doors/http/whole_body.h"

#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"

namespace bellwire::http {
namespace {

constexpr int kBadRequest = 400;
constexpr int kNotFound = 404;
constexpr int kRequestTimeout = 408;
constexpr int kContentTooLarge = 413;
constexpr int kHeadTooLarge = 431;
constexpr int kInternal = 500;
constexpr int kUnavailable = 503;
// A refusal waits for a body that is no longer than this. Clients that are still sending may lose
// an answer that comes early: curl 7.88 does over HTTP/2.
constexpr size_t kMaxDroppedBytes = 64 * 1024;

struct HttpError {
  int status;
  absl::Status why;
};

HttpError TooLarge(size_t max_bytes) {
  return {kContentTooLarge,
          MakeError(absl::StatusCode::kInvalidArgument, "BODY_TOO_LARGE",
                    absl::StrCat("The body is longer than ", max_bytes, " bytes."))};
}

HttpError HeadTooLarge() {
  return {kHeadTooLarge, MakeError(absl::StatusCode::kInvalidArgument, "HEAD_TOO_LARGE",
                                   absl::StrCat("The request's header fields are longer than ",
                                                kMaxHttpHeadBytes, " bytes."))};
}

HttpError NoSuchPath() {
  // Clients of FCM take NOT_FOUND for a dead token.
  return {kNotFound, MakeError(absl::StatusCode::kUnimplemented, "NO_SUCH_PATH",
                               "There is nothing for this method at this path.")};
}

HttpError Dropped() {
  return {kInternal, MakeError(absl::StatusCode::kInternal, "INTERNAL",
                               "The request was dropped: this is a fault of the server.")};
}

HttpError TimedOut(ExchangeHandler::Timeout why) {
  using Timeout = ExchangeHandler::Timeout;
  switch (why) {
    case Timeout::kDeadline:
    case Timeout::kSlowBody:
      return {kRequestTimeout, MakeError(absl::StatusCode::kDeadlineExceeded, "REQUEST_TIMEOUT",
                                         "The request did not come in time.")};
    case Timeout::kNoMemory:
      return {
          kUnavailable,
          WithRetryAfter(MakeError(absl::StatusCode::kUnavailable, "OVERLOADED",
                                   "Too many bytes of requests wait here, most of them from your "
                                   "address."),
                         kOverloadedRetryAfter)};
    case Timeout::kShutdown:
      return {kUnavailable,
              WithRetryAfter(MakeError(absl::StatusCode::kUnavailable, "SHUTTING_DOWN",
                                       "This gateway is shutting down. Send the request again."),
                             kOverloadedRetryAfter)};
  }
  return Dropped();
}

// Whether Refuse leaves the request to Serve, or has served it.
bool IsServed(const std::optional<Reply>& refusal) {
  return !refusal.has_value() || refusal->status < kBadRequest;
}

}  // namespace

// Shared by the exchange, on its thread, and by whoever owes the answer, on any.
class WholeBodyCall final : public std::enable_shared_from_this<WholeBodyCall> {
 public:
  WholeBodyCall(WholeBodyDoor* door, Exchange* exchange, size_t max_bytes)
      : door_(door),
        thread_(exchange->thread()),
        max_bytes_(max_bytes),
        alive_(door->calls_.Take()),
        exchange_(exchange) {}

  // Now, if the caller is on the exchange's thread; else there, soon.
  template <typename F>
  void OnThread(F&& f) {
    if (thread_->IsCurrent()) {
      f(*this);
    } else {
      thread_->Post([self = shared_from_this(), f = std::forward<F>(f)]() mutable { f(*self); });
    }
  }

  // --- For those who answer: any thread. ---

  void Send(Reply reply) {
    OnThread([reply = std::move(reply)](WholeBodyCall& self) { self.Answer(reply); });
  }
  void Drop() {
    OnThread([](WholeBodyCall& self) { self.Fail(Dropped()); });
  }
  void Push(std::string path, int status, HeaderList headers) {
    OnThread([path = std::move(path), status, headers = std::move(headers)](WholeBodyCall& self) {
      if (self.over_) return;
      std::vector<HeaderView> fields;
      for (const Header& header : headers) fields.emplace_back(header.name, header.value);
      self.exchange_->Push(path, status, fields);
    });
  }
  bool over() const { return over_; }
  void StartStream(int status, HeaderList headers) {
    OnThread([status, headers = std::move(headers)](WholeBodyCall& self) {
      if (self.over_) return;
      self.streaming_ = true;
      std::vector<HeaderView> fields;
      for (const Header& header : headers) fields.emplace_back(header.name, header.value);
      self.exchange_->Respond(status, fields);
    });
  }
  void Write(std::string bytes, ReplyStream::Done done) {
    OnThread([bytes = std::move(bytes), done = std::move(done)](WholeBodyCall& self) mutable {
      if (!self.over_) self.exchange_->Write(bytes);
      self.write_done_ = std::move(done);
      self.PumpWrite();
    });
  }
  void End() {
    OnThread([](WholeBodyCall& self) {
      if (self.over_.exchange(true)) return;
      self.on_closed_ = nullptr;
      self.exchange_->End();
    });
  }
  // Whoever wrote is gone, and its end was not said.
  void Abandon() {
    OnThread([](WholeBodyCall& self) {
      if (self.over_.exchange(true)) return;
      self.on_closed_ = nullptr;
      self.exchange_->Reset(Exchange::ResetReason::kInternalError);
    });
  }
  void OnStreamClosed(absl::AnyInvocable<void() &&> closed) {
    OnThread([closed = std::move(closed)](WholeBodyCall& self) mutable {
      if (self.over_) return std::move(closed)();
      self.on_closed_ = std::move(closed);
    });
  }

  // --- For the exchange: on its thread. ---

  // Answers so once the body is there, which is dropped, or is too long to wait for.
  void Refuse(Reply refusal) { refusal_ = std::move(refusal); }

  void OnBody(absl::string_view data) {
    if (over_ || served_) return exchange_->Consume(data.size());
    if (refusal_.has_value()) {
      exchange_->Consume(data.size());
      dropped_bytes_ += data.size();
      if (dropped_bytes_ > kMaxDroppedBytes) Answer(*refusal_);
      return;
    }
    if (data.size() > max_bytes_ - body_.size()) return Fail(TooLarge(max_bytes_));
    // From the connection's account to this request's.
    exchange_->Consume(data.size());
    if (!exchange_->Charge(data.size())) {
      return Fail(TimedOut(ExchangeHandler::Timeout::kNoMemory));
    }
    body_.append(data.data(), data.size());
  }
  void OnBodyEnd() {
    if (!over_ && refusal_.has_value()) return Answer(*refusal_);
    if (over_ || std::exchange(served_, true)) return;
    Request request{.head = exchange_->head(),
                    .body = std::move(body_),
                    .peer = std::string(exchange_->peer()),
                    .thread = thread_,
                    .can_push = exchange_->CanPush()};
    door_->Serve(std::move(request), Responder(shared_from_this()));
  }
  void OnDrained() { PumpWrite(); }
  void OnTimeout(ExchangeHandler::Timeout why) {
    if (!over_ && refusal_.has_value()) return Answer(*refusal_);
    if (!streaming_) return Fail(TimedOut(why));
    if (over_) return;
    // A stream that the server ends is complete as far as it goes: its reader asks for the rest.
    exchange_->End();
    Closed();
  }
  void OnClosed() {
    exchange_ = nullptr;
    Closed();
  }

 private:
  void Answer(const Reply& reply) {
    if (over_.exchange(true)) return;
    SendReply(exchange_, reply);
  }
  void Fail(const HttpError& error) {
    if (over_) return;
    Answer(door_->Error(exchange_->head(), error.status, error.why));
  }
  void Closed() {
    over_ = true;
    absl::AnyInvocable<void()&&> closed = std::exchange(on_closed_, nullptr);
    PumpWrite();
    if (closed) std::move(closed)();
  }
  void PumpWrite() {
    if (!write_done_) return;
    if (!over_ && exchange_->buffered_bytes() >= kHttpStreamBufferBytes) return;
    ReplyStream::Done done = std::exchange(write_done_, nullptr);
    std::move(done)(!over_);
  }

  WholeBodyDoor* const door_;
  const std::shared_ptr<CallThread> thread_;
  const size_t max_bytes_;
  const std::shared_ptr<const void> alive_;

  // The rest is for the exchange's thread. Null once it is closed.
  Exchange* exchange_;
  std::string body_;
  std::optional<Reply> refusal_;
  size_t dropped_bytes_ = 0;
  // The door has the request.
  bool served_ = false;
  bool streaming_ = false;
  // Answered, or closed. Written on the exchange's thread.
  std::atomic<bool> over_{false};
  ReplyStream::Done write_done_;
  absl::AnyInvocable<void() &&> on_closed_;
};

namespace {

class CallHandler final : public ExchangeHandler {
 public:
  explicit CallHandler(std::shared_ptr<WholeBodyCall> call) : call_(std::move(call)) {}
  void OnBody(absl::string_view data) override { call_->OnBody(data); }
  void OnBodyEnd() override { call_->OnBodyEnd(); }
  void OnDrained() override { call_->OnDrained(); }
  void OnTimeout(Timeout why) override { call_->OnTimeout(why); }
  void OnClosed() override { call_->OnClosed(); }

 private:
  const std::shared_ptr<WholeBodyCall> call_;
};

}  // namespace

ReplyStream::~ReplyStream() { call_->Abandon(); }
void ReplyStream::Write(std::string bytes, Done done) {
  call_->Write(std::move(bytes), std::move(done));
}
void ReplyStream::End() { call_->End(); }
void ReplyStream::OnClosed(absl::AnyInvocable<void() &&> closed) {
  call_->OnStreamClosed(std::move(closed));
}

Responder::~Responder() {
  if (call_ != nullptr) call_->Drop();
}
void Responder::Send(Reply reply) { std::exchange(call_, nullptr)->Send(std::move(reply)); }
void Responder::Push(std::string path, int status, HeaderList headers) {
  call_->Push(std::move(path), status, std::move(headers));
}
bool Responder::over() const { return call_ == nullptr || call_->over(); }
std::shared_ptr<ReplyStream> Responder::Stream(int status, HeaderList headers) {
  std::shared_ptr<WholeBodyCall> call = std::exchange(call_, nullptr);
  call->StartStream(status, std::move(headers));
  return std::make_shared<ReplyStream>(std::move(call));
}

std::unique_ptr<ExchangeHandler> WholeBodyDoor::Open(Exchange* exchange) {
  const RequestHead& head = exchange->head();
  const uint64_t length = head.content_length.value_or(0);
  std::optional<Reply> refusal;
  size_t max_bytes = 0;
  if (head.truncated) {
    const HttpError error = HeadTooLarge();
    refusal = Error(head, error.status, error.why);
  } else if (refusal = Refuse(head); IsServed(refusal) && FindRoute(Routes(), head) == nullptr) {
    const HttpError error = NoSuchPath();
    refusal = Error(head, error.status, error.why);
  } else if (!refusal.has_value()) {
    max_bytes = MaxBodyBytes(head);
    if (length > max_bytes) {
      const HttpError error = TooLarge(max_bytes);
      refusal = Error(head, error.status, error.why);
    }
  }
  if (refusal.has_value() && length > kMaxDroppedBytes) {
    SendReply(exchange, *refusal);
    return nullptr;
  }
  auto call = std::make_shared<WholeBodyCall>(this, exchange, max_bytes);
  if (refusal.has_value()) call->Refuse(*std::move(refusal));
  return std::make_unique<CallHandler>(std::move(call));
}

}  // namespace bellwire::http
