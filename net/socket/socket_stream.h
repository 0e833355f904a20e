#ifndef BELLWIRE_NET_SOCKET_SOCKET_STREAM_H_
#define BELLWIRE_NET_SOCKET_SOCKET_STREAM_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "net/loop/epoll_loop.h"
#include "net/socket/stream.h"
#include "net/socket/transport.h"
#include "net/socket/write_buffer.h"
#include "net/tls/handshake_queue.h"

namespace bellwire::net {

// The Stream over a real socket. An idle one holds no buffer. What is written leaves when the
// current turn of the loop ends, or as soon as it fills a TLS record.
class SocketStream final : public Stream {
 public:
  // Starts with the handshake, whose steps wait for their turn in `handshakes`; null: they don't.
  // It outlives the stream.
  SocketStream(EpollLoop* loop, std::unique_ptr<Transport> transport, std::string peer_name,
               HandshakeQueue* handshakes = nullptr);
  ~SocketStream() override;

  // The peer is a program of this machine, and none to be trusted: at most so many bytes are read
  // and written at a time. What the kernel has taken it gets after Close, which doesn't wait for
  // it. REQUIRES: nothing was read or written yet.
  void ForLocalPeer(size_t bytes_at_a_time) { local_piece_ = bytes_at_a_time; }

  void SetDelegate(Delegate* delegate) override { delegate_ = delegate; }
  void Write(absl::string_view data) override;
  size_t buffered_bytes() const override { return blocked_ ? out_.size() : 0; }
  void Close() override;
  void PauseReading() override { paused_ = true; }
  void ResumeReading() override;
  std::string tls_exporter() const override;
  std::string resumed_ticket_data() const override;
  void SendTicket(absl::string_view data) override;
  std::string alpn() const override;
  std::string local_host() const override;
  std::optional<bool> peer_received_all() const override;
  std::string peer_name() const override { return peer_name_; }

 private:
  enum class State : uint8_t { kHandshake, kOpen, kEnded };
  // Its place among those whose handshake is not done.
  struct Turn final : HandshakeQueue::Member {
    Turn(HandshakeQueue* handshakes, SocketStream* stream)
        : stream(stream), place(handshakes, this) {}
    void OnTurn() override { stream->ReadAndWrite(); }
    SocketStream* const stream;
    HandshakeQueue::Place place;
  };

  void OnReady(uint32_t events);
  void ReadAndWrite();
  // Both return false if nothing more may be done in this turn.
  bool RunHandshake();
  bool ReadAll();
  // Whether a callback just made took the stream away, perhaps by DeleteLater.
  bool Interrupted();
  void Flush();
  void End(const absl::Status& status);

  EpollLoop* const loop_;
  // Null once ended.
  std::unique_ptr<Transport> transport_;
  const std::string peer_name_;
  Delegate* delegate_ = nullptr;
  FdWatch watch_;
  // Null once the handshake is done, or if it doesn't wait.
  std::unique_ptr<Turn> turn_;
  WriteBuffer out_;
  // Found outside of OnReady, to be told by it.
  absl::Status failure_;
  State state_ = State::kHandshake;
  bool paused_ = false;
  // 0: the peer is not local.
  size_t local_piece_ = 0;
  // The kernel took less than it was given.
  bool blocked_ = false;
  // ReadAndWrite is running: it flushes at its end.
  bool in_turn_ = false;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_SOCKET_SOCKET_STREAM_H_
