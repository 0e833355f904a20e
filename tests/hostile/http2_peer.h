#ifndef BELLWIRE_TESTS_HOSTILE_HTTP2_PEER_H_
#define BELLWIRE_TESTS_HOSTILE_HTTP2_PEER_H_

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace bellwire::tests {

// Frame types and flags of HTTP/2 (RFC 9113, 6).
enum class FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};
inline constexpr uint8_t kEndStream = 0x1;
inline constexpr uint8_t kAck = 0x1;
inline constexpr uint8_t kEndHeaders = 0x4;

using HeaderList = std::vector<std::pair<std::string, std::string>>;

// One frame, as it goes on the wire. Makes illegal ones as well.
std::string Frame(FrameType type, uint8_t flags, uint32_t stream, absl::string_view payload);
// HPACK: each field as a literal without indexing (RFC 7541, 6.2.2).
std::string HeaderBlock(const HeaderList& headers);
// The header fields of a gRPC call of `path`, and `more`.
HeaderList GrpcHeaders(const std::string& path, const HeaderList& more = {});
// The prefix of a gRPC message and the message.
std::string GrpcMessage(absl::string_view body, bool compressed = false);
// `value` in network byte order.
std::string BigEndian32(uint32_t value);

// An HTTP/2 client over TLS that sends what it is told, legal or not: for peers that misbehave. It
// answers SETTINGS and PING, and gives back the flow-control window of what it reads.
// Not thread-safe.
class Http2Peer {
 public:
  struct Options {
    // Whether it ever reads. One that doesn't lets the server's answers pile up.
    bool reads = true;
    // SETTINGS_INITIAL_WINDOW_SIZE: with 0 the server can't send a byte of any answer.
    uint32_t initial_window = 65535;
    // Our address, such as "127.0.0.2". Empty: the kernel's choice.
    std::string from;
  };

  // Connects, finishes TLS with ALPN h2, and sends the preface and SETTINGS.
  static absl::StatusOr<std::unique_ptr<Http2Peer>> Connect(const std::string& address,
                                                            const std::string& ca_file,
                                                            const Options& options);
  ~Http2Peer();
  Http2Peer(const Http2Peer&) = delete;
  Http2Peer& operator=(const Http2Peer&) = delete;

  // The id of a stream that is not used yet.
  uint32_t NewStream() { return std::exchange(next_stream_, next_stream_ + 2); }

  // Sends `bytes` and reads meanwhile. False: the server closed the connection, or took no more
  // for `patience`.
  bool Write(absl::string_view bytes, absl::Duration patience);
  // Sends as much of `body` as flow control allows, as DATA without END_STREAM; answers how much.
  size_t WriteBody(uint32_t stream, absl::string_view body, absl::Duration patience);
  // Reads what is there, and waits for it up to `patience`. False: the connection is closed.
  bool Read(absl::Duration patience);

  // The server closed the connection.
  bool closed() const { return closed_; }
  // The server ended the stream, reset it, or closed the connection.
  bool Ended(uint32_t stream) const { return closed_ || ended_.contains(stream); }
  // The server told us to go.
  bool goaway() const { return goaway_; }
  // How many streams at a time the server allows; by default as many as one likes.
  uint32_t max_streams() const { return max_streams_; }

 private:
  Http2Peer() = default;
  // Moves bytes both ways as far as they go. False: closed.
  bool Move();
  // Waits until Move may have something to do.
  void Wait(bool writing, absl::Duration patience);
  void TakeFrames();
  void OnFrame(FrameType type, uint8_t flags, uint32_t stream, absl::string_view payload);
  void OnSettings(absl::string_view payload);

  Options options_;
  int fd_ = -1;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  bool closed_ = false;
  bool goaway_ = false;
  uint32_t next_stream_ = 1;
  uint32_t max_streams_ = UINT32_MAX;
  int64_t initial_send_window_ = 65535;
  int64_t connection_window_ = 65535;
  // What a stream's window differs from the initial one.
  absl::flat_hash_map<uint32_t, int64_t> window_changes_;
  absl::flat_hash_set<uint32_t> ended_;
  std::string in_;
  std::string out_;
};

}  // namespace bellwire::tests

#endif  // BELLWIRE_TESTS_HOSTILE_HTTP2_PEER_H_
