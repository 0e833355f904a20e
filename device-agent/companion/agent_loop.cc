#include "device-agent/companion/agent_loop.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace bellwire::companion {

AgentLoop::AgentLoop(boost::asio::io_context* loop, agent::CompanionClient* client,
                     std::function<void(const absl::Status&)> on_end)
    : client_(client), on_end_(std::move(on_end)), descriptor_(*loop) {}

AgentLoop::~AgentLoop() = default;

absl::Status AgentLoop::Start() {
  const int fd = dup(client_->fd());
  if (fd < 0) {
    return absl::ResourceExhaustedError(absl::StrCat("can't watch the agent: ", strerror(errno)));
  }
  boost::system::error_code error;
  descriptor_.assign(fd, error);
  if (error) {
    close(fd);
    return absl::ResourceExhaustedError(absl::StrCat("can't watch the agent: ", error.message()));
  }
  Wait();
  return absl::OkStatus();
}

void AgentLoop::Wait() {
  descriptor_.async_wait(
      boost::asio::posix::stream_descriptor::wait_read,
      [weak = std::weak_ptr<bool>(alive_), this](const boost::system::error_code& error) {
        if (weak.expired() || error) return;
        const absl::Status status = client_->Dispatch(absl::ZeroDuration());
        if (weak.expired()) return;
        if (!status.ok()) return on_end_(status);
        Wait();
      });
}

}  // namespace bellwire::companion
