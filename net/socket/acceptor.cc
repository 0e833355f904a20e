#include "net/socket/acceptor.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "common/log.h"

namespace bellwire::net {
namespace {

// Connections of one turn, so that a storm of them doesn't starve those that are in.
constexpr int kAcceptsPerTurn = 64;

}  // namespace

Acceptor::Acceptor(EpollLoop* loop, int listening_fd, OnAccept on_accept)
    : loop_(loop),
      fd_(listening_fd),
      on_accept_(std::move(on_accept)),
      back_off_(loop->NewTimer([this] { watch_.Wake(); })),
      watch_(loop, [this](uint32_t) { OnReady(); }) {}

Acceptor::~Acceptor() {
  watch_.Stop();
  close(fd_);
}

absl::Status Acceptor::Start() { return watch_.Start(fd_); }

void Acceptor::OnReady() {
  if (back_off_->armed()) return;
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (!AcceptOne()) return;
    if (loop_->deletions_pending()) break;  // Perhaps ourselves.
  }
  watch_.Wake();
}

bool Acceptor::AcceptOne() {
  SocketAddress peer;
  peer.size = sizeof(peer.storage);
  const int fd = accept4(fd_, peer.get(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    on_accept_(fd, peer);
    return true;
  }
  switch (errno) {
    case EAGAIN:
      return false;
    // accept(2): errors of the connection at the head of the queue, which is gone now.
    case EINTR:
    case ECONNABORTED:
    case EPERM:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case ETIMEDOUT:
      return true;
    // No descriptor or memory is left, or the listener itself is at fault.
    default:
      Rest(errno);
      return false;
  }
}

void Acceptor::Rest(int error) {
  back_off_->Arm(kAcceptBackOff);
  const MonotonicTime now = loop_->clock().Monotonic();
  if (now < quiet_until_) return;
  quiet_until_ = now + kAcceptLogInterval;
  LogWarning("accept_failed", {{"error", strerror(error)},
                               {"again_in_ms", absl::ToInt64Milliseconds(kAcceptBackOff)}});
}

}  // namespace bellwire::net
