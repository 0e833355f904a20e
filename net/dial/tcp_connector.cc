#include "net/dial/tcp_connector.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "net/socket/close_reason.h"

namespace bellwire::net {

struct TcpConnector::Attempt {
  Attempt(EpollLoop* loop, const SocketAddress& to, TcpConnector* connector)
      : address(to), watch(loop, [this, connector](uint32_t) { connector->OnReady(this); }) {}

  void Drop() {
    watch.Stop();
    if (fd >= 0) close(fd);
    fd = -1;
  }

  const SocketAddress address;
  int fd = -1;
  FdWatch watch;
};

TcpConnector::TcpConnector(EpollLoop* loop, const std::vector<SocketAddress>& addresses, Done done)
    : loop_(loop),
      done_(std::move(done)),
      race_(std::min(addresses.size(), kMaxConnectionAttempts)),
      next_start_(loop->NewTimer([this] { Advance(); })) {
  for (const SocketAddress& address : InterleaveFamilies(addresses)) {
    attempts_.push_back(std::make_unique<Attempt>(loop, address, this));
  }
}

TcpConnector::~TcpConnector() { Cancel(); }

void TcpConnector::Start() { Advance(); }

void TcpConnector::Cancel() {
  next_start_->Cancel();
  for (const std::unique_ptr<Attempt>& attempt : attempts_) attempt->Drop();
  done_ = nullptr;
}

void TcpConnector::Advance() {
  while (const std::optional<size_t> index = race_.Next(loop_->clock().Monotonic())) {
    Attempt* const attempt = attempts_[*index].get();
    if (const int error = Begin(attempt); error != 0) OnFailed(attempt, error);
  }
  if (race_.lost()) {
    if (Done done = std::exchange(done_, nullptr)) done(last_error_);
    return;
  }
  if (const std::optional<MonotonicTime> next = race_.next_start()) {
    next_start_->Arm(*next - loop_->clock().Monotonic());
  }
}

int TcpConnector::Begin(Attempt* attempt) {
  attempt->fd = socket(attempt->address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (attempt->fd < 0) return errno;
  if (connect(attempt->fd, attempt->address.get(), attempt->address.size) != 0 &&
      errno != EINPROGRESS) {
    return errno;
  }
  return attempt->watch.Start(attempt->fd).ok() ? 0 : ENOBUFS;
}

void TcpConnector::OnReady(Attempt* attempt) {
  if (attempt->fd < 0) return;
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    OnFailed(attempt, error);
    return Advance();
  }
  SocketAddress peer;
  peer.size = sizeof(peer.storage);
  if (getpeername(attempt->fd, peer.get(), &peer.size) != 0) return;  // Still connecting.
  attempt->watch.Stop();
  const int fd = std::exchange(attempt->fd, -1);
  Done done = std::exchange(done_, nullptr);
  Cancel();
  done(fd);
}

void TcpConnector::OnFailed(Attempt* attempt, int error) {
  attempt->Drop();
  last_error_ = MakeError(
      absl::StatusCode::kUnavailable, kCannotConnect,
      absl::StrCat("cannot connect to ", FormatAddress(attempt->address), ": ", strerror(error)));
  race_.OnFailed();
}

}  // namespace bellwire::net
