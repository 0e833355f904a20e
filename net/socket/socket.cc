#include "net/socket/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "common/error.h"
#include "net/socket/close_reason.h"

namespace bellwire::net {

Socket::~Socket() { close(fd_); }

void Socket::OnEvents(uint32_t events) {
  if (events == 0) return;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) hung_up_ = true;
  // An edge comes with the state of everything: without EPOLLIN there is nothing to read, until the
  // next edge.
  maybe_readable_ = (events & EPOLLIN) != 0 || hung_up_;
  room_again_ = write_refused_ && (events & EPOLLOUT) != 0;
}

ssize_t Socket::Read(char* buffer, size_t size) {
  if (!maybe_readable_ || allowance_ == 0) {
    errno = EAGAIN;
    return -1;
  }
  size = std::min<size_t>(size, allowance_);
  ssize_t n;
  do {
    n = recv(fd_, buffer, size, 0);
  } while (n < 0 && errno == EINTR);
  if (n < 0) error_ = errno;
  if (n > 0 && allowance_ != kNoLimit) allowance_ -= static_cast<uint32_t>(n);
  if (!hung_up_ && (n < 0 || static_cast<size_t>(n) < size)) maybe_readable_ = n == 0;
  return n;
}

ssize_t Socket::Write(const char* data, size_t size, bool more_follows) {
  ssize_t n;
  do {
    n = send(fd_, data, size, MSG_NOSIGNAL | (more_follows ? MSG_MORE : 0));
  } while (n < 0 && errno == EINTR);
  if (n < 0) error_ = errno;
  write_refused_ = n < 0 && error_ == EAGAIN;
  room_again_ = false;
  kept_ = more_follows;
  return n;
}

void Socket::SendKept() {
  if (!kept_) return;
  kept_ = false;
  // It is set already; to set it sends what waits (tcp(7)).
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void Socket::ShutdownWrite() { shutdown(fd_, SHUT_WR); }

absl::Status Socket::status() const {
  if (error_ == ECONNRESET || error_ == EPIPE) {
    return MakeError(absl::StatusCode::kUnavailable, kConnectionReset,
                     "the peer reset the connection");
  }
  return MakeError(absl::StatusCode::kUnavailable, kSocketError, strerror(error_));
}

}  // namespace bellwire::net
