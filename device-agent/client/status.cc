#include <poll.h>

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "device-agent/client/agent_socket.h"
#include "device-agent/client/client.h"

namespace bellwire::agent {

absl::StatusOr<v1::Status> FetchAgentStatus(const std::string& socket_path,
                                            absl::Duration timeout) {
  AgentSocket socket;
  if (absl::Status s = socket.Connect(socket_path); !s.ok()) return s;
  v1::AppFrame request;
  request.mutable_status_request();
  socket.Send(request);

  // A few bytes into a fresh socket: they are sent. What is left is to wait for the answer.
  const MonotonicTime start = RealClock()->Monotonic();
  std::optional<v1::Status> answer;
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
    const absl::Status status = socket.Receive([&answer](const v1::AgentFrame& frame) {
      if (frame.has_status()) answer = frame.status();
      return !answer.has_value();
    });
    if (!status.ok()) return status;
  }
  return *std::move(answer);
}

}  // namespace bellwire::agent
