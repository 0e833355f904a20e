#include "device-agent/client/agent_socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/limits.h"

namespace bellwire::agent {
namespace {

constexpr size_t kReadBytes = 32 * 1024;

}  // namespace

absl::Status CheckSocketPath(absl::string_view path) {
  if (path.empty()) return absl::InvalidArgumentError("the socket path is empty");
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a socket path has at most ", sizeof(sockaddr_un::sun_path) - 1, " bytes: ", path));
  }
  return absl::OkStatus();
}

AgentSocket::AgentSocket() : decoder_(kMaxFrameBytes) {}

AgentSocket::~AgentSocket() { Close(); }

absl::Status AgentSocket::Connect(const std::string& path) {
  if (absl::Status s = CheckSocketPath(path); !s.ok()) return s;
  fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return absl::UnavailableError(absl::StrCat("no socket: ", strerror(errno)));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.data(), path.size());
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const absl::Status status =
        absl::UnavailableError(absl::StrCat("no agent answers at ", path, ": ", strerror(errno)));
    Close();
    return status;
  }
  return absl::OkStatus();
}

void AgentSocket::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  unsent_.clear();
  decoder_ = net::FrameDecoder(kMaxFrameBytes);
}

void AgentSocket::Send(const v1::AppFrame& frame) {
  if (fd_ < 0) return;
  net::AppendFrame(frame.SerializeAsString(), &unsent_);
  Flush();
}

void AgentSocket::Flush() {
  while (!unsent_.empty()) {
    const ssize_t n = send(fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      // Anything but "not now" shows when reading: nothing to do about it here.
      if (errno != EAGAIN) unsent_.clear();
      return;
    }
    unsent_.erase(0, static_cast<size_t>(n));
  }
}

absl::Status AgentSocket::Receive(absl::FunctionRef<bool(const v1::AgentFrame&)> on_frame) {
  char buffer[kReadBytes];
  const ssize_t n = recv(fd_, buffer, sizeof(buffer), 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return absl::OkStatus();
  if (n <= 0) {
    return absl::UnavailableError(absl::StrCat("the agent closed the connection", n < 0 ? ": " : "",
                                               n < 0 ? strerror(errno) : ""));
  }
  bool malformed = false;
  const absl::Status status =
      decoder_.Feed(absl::string_view(buffer, static_cast<size_t>(n)), [&](absl::string_view body) {
        if (body.empty()) return true;
        v1::AgentFrame frame;
        malformed = !frame.ParseFromArray(body.data(), static_cast<int>(body.size()));
        return !malformed && on_frame(frame);
      });
  if (!status.ok() || malformed) return absl::InternalError("the agent sent a malformed frame");
  return absl::OkStatus();
}

}  // namespace bellwire::agent
