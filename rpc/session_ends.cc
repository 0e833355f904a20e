#include "rpc/session_ends.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "rpc/grpc_status.h"

namespace bellwire {

using internal::v1::SessionEvent;
using internal::v1::SessionRequest;

namespace {

absl::Status BrokenError() {
  return WithRetryAfter(MakeError(absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE",
                                  "the stream to the registry is broken"),
                        kRegistryRetryAfter);
}

absl::Status ErrorOf(const internal::v1::CallError& error) {
  return FromGrpcStatus(
      grpc::Status(static_cast<grpc::StatusCode>(error.code()), error.message(), error.details()));
}

void FillError(const absl::Status& status, internal::v1::CallError* error) {
  const grpc::Status as_grpc = ToGrpcStatus(status);
  error->set_code(as_grpc.error_code());
  error->set_message(as_grpc.error_message());
  error->set_details(as_grpc.error_details());
}

}  // namespace

SessionCaller::SessionCaller(const internal::v1::Attach& attach, ConnectorApi* connector,
                             absl::AnyInvocable<void() const> wake)
    : connector_(connector), wake_(std::move(wake)) {
  *queue_.emplace_back().mutable_attach() = attach;
}

#define BELLWIRE_CALL(Method, field)                                                               \
  void SessionCaller::Method(internal::v1::Method##Request request,                                \
                             Done<internal::v1::Method##Response> done) {                          \
    SessionRequest frame;                                                                          \
    *frame.mutable_##field() = std::move(request);                                                 \
    Call(std::move(frame), [done = std::move(done)](absl::StatusOr<SessionEvent> answer) mutable { \
      if (!answer.ok()) return std::move(done)(answer.status());                                   \
      if (answer->has_##field()) return std::move(done)(std::move(*answer->mutable_##field()));    \
      std::move(done)(answer->has_error()                                                          \
                          ? ErrorOf(answer->error())                                               \
                          : absl::InternalError("the registry answers something else"));           \
    });                                                                                            \
  }
BELLWIRE_SESSION_FRAMES(BELLWIRE_CALL)
#undef BELLWIRE_CALL

void SessionCaller::Call(SessionRequest request, OnAnswer on_answer) {
  absl::Status refused;
  {
    absl::MutexLock lock(&mutex_);
    if (ended_) {
      refused = BrokenError();
    } else if (unanswered_.size() >= kMaxRegistryQueue) {
      refused = WithRetryAfter(
          MakeError(absl::StatusCode::kResourceExhausted, "OVERLOADED",
                    absl::StrCat(kMaxRegistryQueue, " calls wait for the registry's answer")),
          kRegistryRetryAfter);
    } else {
      request.set_id(++last_id_);
      unanswered_.emplace(last_id_, std::move(on_answer));
      queue_.push_back(std::move(request));
    }
  }
  if (!refused.ok()) return std::move(on_answer)(refused);
  wake_();
}

std::optional<SessionRequest> SessionCaller::Next() {
  absl::MutexLock lock(&mutex_);
  if (queue_.empty()) return std::nullopt;
  std::optional<SessionRequest> next = std::move(queue_.front());
  queue_.pop_front();
  return next;
}

bool SessionCaller::has_next() const {
  absl::MutexLock lock(&mutex_);
  return !queue_.empty();
}

void SessionCaller::OnEvent(SessionEvent event) {
  if (event.has_hand_over()) {
    // What has no room there leaves a mark there.
    (void)connector_->HandOver(std::move(*event.mutable_hand_over()));
    return;
  }
  OnAnswer on_answer;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = unanswered_.find(event.id());
    // Only a sign of life, or an answer that nobody waits for, which harms nobody.
    if (it == unanswered_.end()) return;
    on_answer = std::move(it->second);
    unanswered_.erase(it);
  }
  std::move(on_answer)(std::move(event));
}

void SessionCaller::End() {
  absl::btree_map<uint64_t, OnAnswer> unanswered;
  {
    absl::MutexLock lock(&mutex_);
    ended_ = true;
    unanswered.swap(unanswered_);
    queue_.clear();
  }
  for (auto& [id, on_answer] : unanswered) std::move(on_answer)(BrokenError());
}

SessionServer::SessionServer(SessionApi* registry, absl::AnyInvocable<void() const> wake,
                             size_t max_bytes)
    : registry_(registry), wake_(std::move(wake)), buffer_(max_bytes) {}

void SessionServer::OnRequest(SessionRequest request) {
  const uint64_t id = request.id();
  if (id == 0) return;  // A sign of life.
  {
    absl::MutexLock lock(&mutex_);
    if (ended_) return;
    ++unanswered_;
  }
  switch (request.body_case()) {
#define BELLWIRE_SERVE(Method, field)                                                            \
  case SessionRequest::k##Method:                                                                \
    return registry_->Method(                                                                    \
        std::move(*request.mutable_##field()),                                                   \
        [self = shared_from_this(), id](absl::StatusOr<internal::v1::Method##Response> answer) { \
          SessionEvent event;                                                                    \
          event.set_id(id);                                                                      \
          if (answer.ok()) {                                                                     \
            *event.mutable_##field() = *std::move(answer);                                       \
          } else {                                                                               \
            FillError(answer.status(), event.mutable_error());                                   \
          }                                                                                      \
          self->Push(std::move(event));                                                          \
        });
    BELLWIRE_SESSION_FRAMES(BELLWIRE_SERVE)
#undef BELLWIRE_SERVE
    case SessionRequest::kAttach:
    case SessionRequest::BODY_NOT_SET:
      break;
  }
  SessionEvent event;
  event.set_id(id);
  FillError(absl::UnimplementedError("this registry does not know the call"),
            event.mutable_error());
  Push(std::move(event));
}

size_t SessionServer::unanswered() const {
  absl::MutexLock lock(&mutex_);
  return unanswered_;
}

bool SessionServer::HandOver(internal::v1::ConnectorRequest request) {
  SessionEvent event;
  *event.mutable_hand_over() = std::move(request);
  return Push(std::move(event));
}

bool SessionServer::Push(SessionEvent event) {
  bool taken = false;
  {
    absl::MutexLock lock(&mutex_);
    if (ended_) return false;
    taken = buffer_.Push(std::move(event));
  }
  if (taken) wake_();
  return taken;
}

std::optional<SessionEvent> SessionServer::Next() {
  absl::MutexLock lock(&mutex_);
  if (buffer_.empty()) return std::nullopt;
  std::optional<SessionEvent> next = buffer_.Pop();
  if (!next->has_hand_over()) --unanswered_;
  return next;
}

bool SessionServer::has_next() const {
  absl::MutexLock lock(&mutex_);
  return !buffer_.empty();
}

void SessionServer::End() {
  absl::MutexLock lock(&mutex_);
  ended_ = true;
  buffer_ = HandOverBuffer();
}

}  // namespace bellwire
