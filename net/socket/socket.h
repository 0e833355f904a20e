#ifndef BELLWIRE_NET_SOCKET_SOCKET_H_
#define BELLWIRE_NET_SOCKET_SOCKET_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "net/socket/descriptor_budget.h"

namespace bellwire::net {

// Owns a non-blocking, connected stream socket that is watched edge-triggered, and asks the kernel
// to read only when there may be something: a read that came short says that there was no more,
// which saves one system call per packet (epoll(7), questions and answers, 9). Never raises
// SIGPIPE.
class Socket {
 public:
  // Takes over `fd`.
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const { return fd_; }
  // The descriptor counts for a budget, until it is closed.
  void Count(DescriptorBudget::Unit unit) { counted_ = std::move(unit); }
  const DescriptorBudget::Unit& counted() const { return counted_; }
  // What FdWatch reported; 0 changes nothing. Must be told before reading.
  void OnEvents(uint32_t events);
  // Whether the kernel may have something to read, or takes again what it refused to be written.
  bool may_go_on() const { return maybe_readable_ || room_again_; }

  // From now on Read gives `bytes`, and then EAGAIN although there may be more: what one peer sends
  // must not keep a loop from the others. Starts without a limit.
  void AllowReading(uint32_t bytes) { allowance_ = bytes; }
  // Read stopped for that reason: go on in a later turn.
  bool read_stopped() const { return allowance_ == 0 && maybe_readable_; }
  static constexpr uint32_t kNoLimit = UINT32_MAX;

  // As recv(2) and send(2), but never EINTR: the number of bytes; from Read 0 at the end; -1 with
  // errno EAGAIN if the kernel is to be waited for, or another error, which status() then tells
  // too. With `more_follows` the kernel may keep the bytes until the next Write, 0.2 s at most.
  ssize_t Read(char* buffer, size_t size);
  ssize_t Write(const char* data, size_t size, bool more_follows = false);
  // Nothing follows after all: what the kernel kept, if anything, goes now.
  void SendKept();
  // Tells the peer that nothing more comes.
  void ShutdownWrite();

  // Why Read or Write failed last: UNAVAILABLE CONNECTION_RESET or SOCKET_ERROR.
  absl::Status status() const;

 private:
  const int fd_;
  // Given back once it is closed.
  DescriptorBudget::Unit counted_;
  int error_ = 0;
  uint32_t allowance_ = kNoLimit;
  // Unknown at first.
  bool maybe_readable_ = true;
  // The last Write was refused; and since then the kernel said that there is room.
  bool write_refused_ = false;
  bool room_again_ = false;
  // The last Write said that more follows.
  bool kept_ = false;
  // The end of the stream is in sight: read until it comes.
  bool hung_up_ = false;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_SOCKET_SOCKET_H_
