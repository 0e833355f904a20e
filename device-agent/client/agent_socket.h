#ifndef BELLWIRE_DEVICE_AGENT_CLIENT_AGENT_SOCKET_H_
#define BELLWIRE_DEVICE_AGENT_CLIENT_AGENT_SOCKET_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bellwire/agent/v1/agent.pb.h"
#include "net/socket/frame_codec.h"

namespace bellwire::agent {

// INVALID_ARGUMENT: the path is empty or longer than a socket's may be.
absl::Status CheckSocketPath(absl::string_view path);

// A non-blocking socket connected to an agent, and its frames. Single-threaded.
class AgentSocket {
 public:
  AgentSocket();
  ~AgentSocket();
  AgentSocket(const AgentSocket&) = delete;
  AgentSocket& operator=(const AgentSocket&) = delete;

  // UNAVAILABLE: no agent listens there. REQUIRES: not connected.
  absl::Status Connect(const std::string& path);
  void Close();
  bool connected() const { return fd_ >= 0; }
  int fd() const { return fd_; }

  // Writes what the kernel takes and keeps the rest for Flush.
  void Send(const v1::AppFrame& frame);
  // Whether something is kept: then wait for the socket to be writable, and Flush.
  bool wants_to_write() const { return !unsent_.empty(); }
  void Flush();

  // Reads what is there and calls `on_frame` with each frame; false from it stops. UNAVAILABLE: the
  // agent closed the connection (after the frames before that). INTERNAL: it sent nonsense.
  absl::Status Receive(absl::FunctionRef<bool(const v1::AgentFrame&)> on_frame);

 private:
  int fd_ = -1;
  std::string unsent_;
  net::FrameDecoder decoder_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_CLIENT_AGENT_SOCKET_H_
