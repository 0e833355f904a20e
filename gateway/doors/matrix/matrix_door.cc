#include "gateway/doors/matrix/matrix_door.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "common/error.h"
#include "common/limits.h"
#include "gateway/call/call_trace.h"
#include "gateway/doors/http/query.h"
#include "gateway/doors/json/json_text.h"
#include "gateway/doors/json/rest_error.h"
#include "gateway/doors/matrix/matrix_notify.h"
#include "gateway/send/sender.h"

namespace bellwire::gateway {
namespace {

constexpr absl::string_view kNotify = "/_matrix/push/v1/notify";

http::Reply JsonReply(int status, const nlohmann::ordered_json& json) {
  return {.status = status,
          .headers = {{"content-type", "application/json"}},
          .body = DumpJson(json) + "\n"};
}

// As Matrix tells errors: {"errcode":"M_BAD_JSON","error":"..."}.
http::Reply ErrorAnswer(int status, absl::string_view errcode, const absl::Status& why) {
  http::Reply reply =
      JsonReply(status, {{"errcode", std::string(errcode)}, {"error", std::string(why.message())}});
  if (std::optional<std::string> delay = RetryAfterOf(why)) {
    reply.headers.push_back({"retry-after", *std::move(delay)});
  }
  return reply;
}

// A notification whose pushes are under way. The last of them answers. Thread-safe.
class Notification {
 public:
  Notification(size_t pushes, http::Responder responder)
      : responder_(std::move(responder)), missing_(pushes) {}

  void OnVerdict(const std::string& pushkey, MatrixVerdict verdict, const absl::Status& why) {
    absl::MutexLock lock(&mutex_);
    if (verdict == MatrixVerdict::kRejected) rejected_.push_back(pushkey);
    if (verdict == MatrixVerdict::kRetry) retry_ = why;
    if (--missing_ > 0) return;
    // What was accepted is not sent again when it comes again; what is rejected is so again.
    responder_.Send(retry_.ok() ? JsonReply(200, {{"rejected", rejected_}})
                                : ErrorAnswer(503, "M_UNKNOWN", retry_));
  }

 private:
  absl::Mutex mutex_;
  http::Responder responder_ ABSL_GUARDED_BY(mutex_);
  size_t missing_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> rejected_ ABSL_GUARDED_BY(mutex_);
  absl::Status retry_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

bool MatrixDoor::Matches(const http::RequestHead& head) const {
  return http::PathOf(head.path) == kNotify;
}

size_t MatrixDoor::MaxBodyBytes(const http::RequestHead&) const { return kMaxMatrixBodyBytes; }

std::optional<http::Reply> MatrixDoor::Refuse(const http::RequestHead& head) const {
  if (head.method == "GET" || head.method == "HEAD") {
    return JsonReply(200, {{"unifiedpush", {{"gateway", "matrix"}}}, {"gateway", "matrix"}});
  }
  if (head.method != "POST") {
    http::Reply reply = ErrorAnswer(405, "M_UNRECOGNIZED",
                                    absl::UnimplementedError("Notifications come with POST."));
    reply.headers.push_back({"allow", "GET, POST"});
    return reply;
  }
  // Else every pusher would be rejected, and deleted, for a flag that is missing here.
  if (public_urls_.empty()) {
    return ErrorAnswer(
        503, "M_UNKNOWN",
        WithRetryAfter(absl::UnavailableError("This server does not know its own name: it runs "
                                              "without --public_url."),
                       absl::Minutes(1)));
  }
  return std::nullopt;
}

void MatrixDoor::Serve(http::Request request, http::Responder responder) {
  absl::StatusOr<std::vector<MatrixPush>> pushes = ReadMatrixNotify(request.body, public_urls_);
  if (!pushes.ok()) {
    return responder.Send(ErrorAnswer(400, ErrorReason(pushes.status()), pushes.status()));
  }
  auto notification = std::make_shared<Notification>(pushes->size(), std::move(responder));
  for (MatrixPush& push : *pushes) {
    if (!push.send.has_value()) {
      notification->OnVerdict(push.pushkey, MatrixVerdict::kRejected, absl::OkStatus());
      continue;
    }
    TakeCallTrace(request.head.headers, &*push.send);
    internal::v1::Content content;
    content.set_door(internal::v1::Content::MATRIX);
    const Sender sender = Sender::ToSubscription(/*vapid_key=*/"", push.send->token());
    engine_->Send(sender, *std::move(push.send), std::move(content),
                  [notification, pushkey = std::move(push.pushkey)](
                      const absl::StatusOr<push::v1::SendResponse>& sent) {
                    notification->OnVerdict(pushkey, JudgeMatrixSend(sent.status()), sent.status());
                  });
  }
}

http::Reply MatrixDoor::Error(const http::RequestHead&, int status, const absl::Status& why) const {
  return ErrorAnswer(status, status == 413 ? "M_TOO_LARGE" : "M_UNKNOWN", why);
}

}  // namespace bellwire::gateway
