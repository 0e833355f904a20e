#include <poll.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "device-agent/client/agent_socket.h"
#include "device-agent/client/client.h"

namespace bellwire::agent {

namespace {

// Sends the request and waits for the frame that answers it. An Error of the agent is
// PERMISSION_DENIED, or else INTERNAL, with its message.
absl::StatusOr<v1::AgentFrame> Ask(const std::string& socket_path, const v1::AppFrame& request,
                                   v1::AgentFrame::BodyCase answer_case, absl::Duration timeout) {
  AgentSocket socket;
  if (absl::Status s = socket.Connect(socket_path); !s.ok()) return s;
  socket.Send(request);

  // A few bytes into a fresh socket: they are sent. What is left is to wait for the answer.
  const MonotonicTime start = RealClock()->Monotonic();
  std::optional<v1::AgentFrame> answer;
  while (!answer.has_value()) {
    const int64_t left_ms = absl::ToInt64Milliseconds(
        absl::Ceil(std::min(timeout - (RealClock()->Monotonic() - start), absl::Hours(1)),
                   absl::Milliseconds(1)));
    if (left_ms <= 0) {
      return absl::DeadlineExceededError(
          absl::StrCat("the agent at ", socket_path, " does not answer"));
    }
    pollfd readable{socket.fd(), POLLIN, 0};
    if (poll(&readable, 1, static_cast<int>(left_ms)) <= 0) continue;
    const absl::Status status = socket.Receive([&](const v1::AgentFrame& frame) {
      if (frame.body_case() == answer_case || frame.has_error()) answer = frame;
      return !answer.has_value();
    });
    if (!status.ok() && !answer.has_value()) return status;
  }
  if (!answer->has_error()) return *std::move(answer);
  return answer->error().code() == v1::Error::PERMISSION_DENIED
             ? absl::PermissionDeniedError(answer->error().message())
             : absl::InternalError(answer->error().message());
}

}  // namespace

absl::StatusOr<v1::Status> FetchAgentStatus(const std::string& socket_path,
                                            absl::Duration timeout) {
  v1::AppFrame request;
  request.mutable_status_request();
  absl::StatusOr<v1::AgentFrame> answer =
      Ask(socket_path, request, v1::AgentFrame::kStatus, timeout);
  if (!answer.ok()) return answer.status();
  return std::move(*answer->mutable_status());
}

absl::Status SetAgentActivity(const std::string& socket_path, v1::Activity activity,
                              absl::Duration timeout) {
  v1::AppFrame request;
  request.mutable_set_activity()->set_activity(activity);
  return Ask(socket_path, request, v1::AgentFrame::kActivitySet, timeout).status();
}

absl::Status SetAgentNetwork(const std::string& socket_path, const v1::SetNetwork& request,
                             absl::Duration timeout) {
  v1::AppFrame frame;
  *frame.mutable_set_network() = request;
  return Ask(socket_path, frame, v1::AgentFrame::kNetworkSet, timeout).status();
}

absl::StatusOr<bool> EnrollAgent(const std::string& socket_path, const std::string& token,
                                 absl::Duration timeout) {
  v1::AppFrame request;
  request.mutable_enroll()->set_token(token);
  const absl::StatusOr<v1::AgentFrame> answer =
      Ask(socket_path, request, v1::AgentFrame::kEnrolled, timeout);
  if (!answer.ok()) return answer.status();
  return answer->enrolled().not_needed();
}

}  // namespace bellwire::agent
