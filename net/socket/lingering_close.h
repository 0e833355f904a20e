#ifndef BELLWIRE_NET_SOCKET_LINGERING_CLOSE_H_
#define BELLWIRE_NET_SOCKET_LINGERING_CLOSE_H_

#include <cstdint>
#include <memory>

#include "absl/time/time.h"
#include "net/loop/epoll_loop.h"
#include "net/socket/transport.h"
#include "net/socket/write_buffer.h"

namespace bellwire::net {

// How long a closed stream may go on sending.
inline constexpr absl::Duration kLingerTime = absl::Seconds(1);

// Ends a connection whose stream was closed: sends the rest, says goodbye, and waits for the peer
// to close too. Closing at once would make the kernel answer anything that the peer still sends
// with a reset, which may reach it before our last words. Takes kLingerTime at most; lives on the
// loop.
class LingeringClose final : public EpollLoop::Resident {
 public:
  // `transport` is open; `rest` goes out first.
  static void Start(EpollLoop* loop, std::unique_ptr<Transport> transport, WriteBuffer rest);

 private:
  LingeringClose(EpollLoop* loop, std::unique_ptr<Transport> transport, WriteBuffer rest);
  void OnReady(uint32_t events);
  // Whether there is more to do.
  bool Step();
  void Remove();

  EpollLoop* const loop_;
  const std::unique_ptr<Transport> transport_;
  WriteBuffer rest_;
  bool finished_writing_ = false;
  const std::unique_ptr<Timer> deadline_;
  FdWatch watch_;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_SOCKET_LINGERING_CLOSE_H_
