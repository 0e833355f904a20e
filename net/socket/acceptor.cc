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

Acceptor::Acceptor(EpollLoop* loop, int listening_fd, OnAccept on_accept, MayAccept may_accept)
    : loop_(loop),
      fd_(listening_fd),
      on_accept_(std::move(on_accept)),
      may_accept_(std::move(may_accept)),
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
    if (may_accept_ != nullptr && !may_accept_()) return back_off_->Arm(kAcceptBackOff);
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
    starved_ = false;
    on_accept_(fd, peer);
    return true;
  }
  switch (errno) {
    case EAGAIN:
      return false;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      if (!starved_) LogWarning("accept_starved", {{"error", strerror(errno)}});
      starved_ = true;
      back_off_->Arm(kAcceptBackOff);
      return false;
    default:
      // accept(2): errors of the connection at the head of the queue, which is gone now.
      return true;
  }
}

}  // namespace bellwire::net
