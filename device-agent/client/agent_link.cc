#include "device-agent/client/agent_link.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"

namespace bellwire::agent {
namespace {

// The agent is on the same machine and back within a second of its restart.
constexpr absl::Duration kReconnectBaseWait = absl::Milliseconds(50);
constexpr absl::Duration kReconnectMaxWait = absl::Seconds(2);

}  // namespace

AgentLink::AgentLink(std::string socket_path, v1::Hello hello, Owner* owner)
    : socket_path_(std::move(socket_path)),
      hello_(std::move(hello)),
      owner_(owner),
      backoff_(kReconnectBaseWait, kReconnectMaxWait, random_) {}

AgentLink::~AgentLink() {
  for (int fd : {epoll_fd_, timer_fd_, wake_fd_}) {
    if (fd >= 0) close(fd);
  }
}

absl::Status AgentLink::Init() {
  if (absl::Status s = CheckSocketPath(socket_path_); !s.ok()) return s;
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  timer_fd_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (epoll_fd_ < 0 || timer_fd_ < 0 || wake_fd_ < 0) {
    return absl::ResourceExhaustedError(absl::StrCat("no descriptor left: ", strerror(errno)));
  }
  for (int fd : {timer_fd_, wake_fd_}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) {
      return absl::ResourceExhaustedError(absl::StrCat("epoll: ", strerror(errno)));
    }
  }
  Connect();
  return absl::OkStatus();
}

absl::Status AgentLink::Dispatch(absl::Duration timeout) {
  if (!end_.ok()) return end_;
  // Rounded up: never back early with nothing done, spinning.
  const int timeout_ms =
      timeout >= absl::Hours(24)
          ? (timeout == absl::InfiniteDuration() ? -1 : 24 * 3600 * 1000)
          : static_cast<int>(absl::ToInt64Milliseconds(
                absl::Ceil(std::max(timeout, absl::ZeroDuration()), absl::Milliseconds(1))));
  epoll_event events[3];
  const int n = epoll_wait(epoll_fd_, events, 3, timeout_ms);
  if (stopped_) return absl::CancelledError("stopped");
  for (int i = 0; i < n && end_.ok(); ++i) {
    uint64_t count;
    if (events[i].data.fd == timer_fd_) {
      if (read(timer_fd_, &count, sizeof(count)) > 0) Connect();
    } else if (events[i].data.fd == wake_fd_) {
      if (read(wake_fd_, &count, sizeof(count)) > 0) owner_->OnTurn();
    } else if (socket_.connected() && events[i].data.fd == socket_.fd()) {
      OnSocketReady();
    }
  }
  return end_;
}

absl::Status AgentLink::Run() {
  for (;;) {
    if (absl::Status s = Dispatch(absl::InfiniteDuration()); !s.ok()) {
      return absl::IsCancelled(s) ? absl::OkStatus() : s;
    }
  }
}

void AgentLink::Stop() {
  stopped_ = true;
  Wake();
}

void AgentLink::Wake() {
  const uint64_t one = 1;
  // Fails only if it is signalled already.
  [[maybe_unused]] const ssize_t n = write(wake_fd_, &one, sizeof(one));
}

void AgentLink::Send(const v1::AppFrame& frame) {
  const bool waited = socket_.wants_to_write();
  socket_.Send(frame);
  if (socket_.connected() && socket_.wants_to_write() != waited) WatchSocket(EPOLL_CTL_MOD);
}

void AgentLink::Connect() {
  if (absl::Status s = socket_.Connect(socket_path_); !s.ok()) return Disconnect();
  v1::AppFrame frame;
  *frame.mutable_hello() = hello_;
  socket_.Send(frame);
  WatchSocket(EPOLL_CTL_ADD);
}

void AgentLink::Disconnect() {
  socket_.Close();  // Which also takes it out of the epoll set.
  const absl::Duration wait = std::exchange(scolded_, false)
                                  ? kReconnectMaxWait
                                  : std::max(backoff_.Next(), absl::Milliseconds(1));
  itimerspec when{};
  when.it_value = absl::ToTimespec(wait);
  timerfd_settime(timer_fd_, 0, &when, nullptr);
  if (std::exchange(greeted_, false)) owner_->OnLost();
}

void AgentLink::WatchSocket(int operation) {
  epoll_event event{};
  event.events = EPOLLIN | (socket_.wants_to_write() ? static_cast<uint32_t>(EPOLLOUT) : 0u);
  event.data.fd = socket_.fd();
  epoll_ctl(epoll_fd_, operation, socket_.fd(), &event);
}

void AgentLink::OnSocketReady() {
  socket_.Flush();
  const absl::Status status =
      socket_.Receive([this](const v1::AgentFrame& frame) { return OnFrame(frame); });
  if (!end_.ok()) {
    socket_.Close();
    if (std::exchange(greeted_, false)) owner_->OnLost();
    return;
  }
  if (!status.ok()) return Disconnect();
  owner_->OnTurn();
  WatchSocket(EPOLL_CTL_MOD);
}

bool AgentLink::OnFrame(const v1::AgentFrame& frame) {
  if (frame.has_hello_ok()) {
    greeted_ = true;
    backoff_.Reset();
    owner_->OnGreeted(frame.hello_ok());
    return true;
  }
  if (frame.has_error()) {
    const v1::Error& error = frame.error();
    if (error.code() == v1::Error::SESSION_REPLACED) {
      end_ = MakeError(absl::StatusCode::kFailedPrecondition, "SESSION_REPLACED", error.message());
    } else if (error.code() == v1::Error::PERMISSION_DENIED) {
      end_ = MakeError(absl::StatusCode::kFailedPrecondition, "PERMISSION_DENIED", error.message());
    }
    scolded_ = error.code() == v1::Error::PROTOCOL_ERROR || error.code() == v1::Error::INTERNAL;
  }
  owner_->OnFrame(frame);
  return end_.ok();
}

}  // namespace bellwire::agent
