#include "tests/hostile/http2_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/clock.h"

namespace bellwire::tests {
namespace {

constexpr size_t kFrameHeaderBytes = 9;
constexpr size_t kMaxFramePayload = 16384;
constexpr uint16_t kSettingMaxStreams = 3;
constexpr uint16_t kSettingInitialWindow = 4;

uint32_t ReadBigEndian32(absl::string_view bytes) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

// HPACK's integer with a prefix of 7 bits, the first of which stays 0 (no Huffman code).
void AppendHpackString(absl::string_view text, std::string* out) {
  size_t n = text.size();
  if (n < 127) {
    out->push_back(static_cast<char>(n));
  } else {
    out->push_back(127);
    for (n -= 127; n >= 128; n >>= 7) out->push_back(static_cast<char>(n | 128));
    out->push_back(static_cast<char>(n));
  }
  out->append(text.data(), text.size());
}

absl::StatusOr<int> ConnectTcp(const std::string& address, const std::string& from) {
  const size_t colon = address.rfind(':');
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(address.substr(0, colon).c_str(), address.substr(colon + 1).c_str(), &hints,
                  &found) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("no such address: ", address));
  }
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool bound = fd >= 0;
  if (bound && !from.empty()) {
    sockaddr_in ours = {};
    ours.sin_family = AF_INET;
    bound = inet_pton(AF_INET, from.c_str(), &ours.sin_addr) == 1 &&
            bind(fd, reinterpret_cast<sockaddr*>(&ours), sizeof(ours)) == 0;
  }
  const bool connected = bound && connect(fd, found->ai_addr, found->ai_addrlen) == 0;
  const int error = errno;
  freeaddrinfo(found);
  if (connected) return fd;
  if (fd >= 0) close(fd);
  return absl::ErrnoToStatus(error, "connect");
}

}  // namespace

std::string BigEndian32(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(value >> shift));
  return bytes;
}

std::string Frame(FrameType type, uint8_t flags, uint32_t stream, absl::string_view payload) {
  std::string frame = BigEndian32(static_cast<uint32_t>(payload.size())).substr(1);
  frame.push_back(static_cast<char>(type));
  frame.push_back(static_cast<char>(flags));
  absl::StrAppend(&frame, BigEndian32(stream), payload);
  return frame;
}

std::string HeaderBlock(const HeaderList& headers) {
  std::string block;
  for (const auto& [name, value] : headers) {
    block.push_back(0);
    AppendHpackString(name, &block);
    AppendHpackString(value, &block);
  }
  return block;
}

HeaderList GrpcHeaders(const std::string& path, const HeaderList& more) {
  HeaderList headers = {{":method", "POST"}, {":scheme", "https"},
                        {":path", path},     {":authority", "localhost"},
                        {"te", "trailers"},  {"content-type", "application/grpc"}};
  headers.insert(headers.end(), more.begin(), more.end());
  return headers;
}

std::string GrpcMessage(absl::string_view body, bool compressed) {
  std::string message(1, compressed ? '\1' : '\0');
  absl::StrAppend(&message, BigEndian32(static_cast<uint32_t>(body.size())), body);
  return message;
}

absl::StatusOr<std::unique_ptr<Http2Peer>> Http2Peer::Connect(const std::string& address,
                                                              const std::string& ca_file,
                                                              const Options& options) {
  const absl::StatusOr<int> fd = ConnectTcp(address, options.from);
  if (!fd.ok()) return fd.status();
  std::unique_ptr<Http2Peer> peer(new Http2Peer);
  peer->options_ = options;
  peer->fd_ = *fd;
  const timeval timeout = {.tv_sec = 20, .tv_usec = 0};
  setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  const int one = 1;
  setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  peer->context_ = SSL_CTX_new(TLS_client_method());
  if (SSL_CTX_load_verify_locations(peer->context_, ca_file.c_str(), nullptr) != 1) {
    return absl::InvalidArgumentError(absl::StrCat("can't read ", ca_file));
  }
  SSL_CTX_set_verify(peer->context_, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(peer->context_,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  peer->ssl_ = SSL_new(peer->context_);
  constexpr unsigned char kAlpn[] = {2, 'h', '2'};
  SSL_set_alpn_protos(peer->ssl_, kAlpn, sizeof(kAlpn));
  SSL_set_fd(peer->ssl_, *fd);
  if (SSL_connect(peer->ssl_) != 1) {
    ERR_clear_error();
    return absl::UnavailableError("the TLS handshake failed");
  }
  fcntl(*fd, F_SETFL, fcntl(*fd, F_GETFL) | O_NONBLOCK);
  std::string settings = {0, static_cast<char>(kSettingInitialWindow)};
  absl::StrAppend(&settings, BigEndian32(options.initial_window));
  peer->Write(
      absl::StrCat("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Frame(FrameType::kSettings, 0, 0, settings)),
      absl::Seconds(10));
  return peer;
}

Http2Peer::~Http2Peer() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
  if (fd_ >= 0) close(fd_);
}

bool Http2Peer::Write(absl::string_view bytes, absl::Duration patience) {
  out_.append(bytes.data(), bytes.size());
  MonotonicTime deadline = RealClock()->Monotonic() + patience;
  for (size_t left = out_.size(); Move() && !out_.empty();) {
    const MonotonicTime now = RealClock()->Monotonic();
    if (out_.size() < left) deadline = now + patience;
    left = out_.size();
    if (now >= deadline) return false;
    Wait(/*writing=*/true, deadline - now);
  }
  return !closed_;
}

size_t Http2Peer::WriteBody(uint32_t stream, absl::string_view body, absl::Duration patience) {
  const size_t size = body.size();
  while (!body.empty() && !Ended(stream)) {
    const int64_t window =
        std::min(connection_window_, initial_send_window_ + window_changes_[stream]);
    const size_t n = std::min(
        {body.size(), kMaxFramePayload, static_cast<size_t>(std::max<int64_t>(window, 0))});
    if (n == 0) {
      const MonotonicTime began = RealClock()->Monotonic();
      Read(patience);
      patience -= RealClock()->Monotonic() - began;
      if (patience <= absl::ZeroDuration()) break;
      continue;
    }
    if (!Write(Frame(FrameType::kData, 0, stream, body.substr(0, n)), patience)) break;
    connection_window_ -= static_cast<int64_t>(n);
    window_changes_[stream] -= static_cast<int64_t>(n);
    body.remove_prefix(n);
  }
  return size - body.size();
}

bool Http2Peer::Read(absl::Duration patience) {
  if (!Move()) return false;
  Wait(/*writing=*/!out_.empty(), patience);
  return Move();
}

bool Http2Peer::Move() {
  while (!closed_ && options_.reads) {
    char buffer[16384];
    const int n = SSL_read(ssl_, buffer, sizeof(buffer));
    if (n > 0) {
      in_.append(buffer, static_cast<size_t>(n));
      TakeFrames();
      continue;
    }
    closed_ = SSL_get_error(ssl_, n) != SSL_ERROR_WANT_READ;
    break;
  }
  size_t written = 0;
  while (!closed_ && written < out_.size()) {
    const int n = SSL_write(ssl_, out_.data() + written, static_cast<int>(out_.size() - written));
    if (n > 0) {
      written += static_cast<size_t>(n);
      continue;
    }
    closed_ = SSL_get_error(ssl_, n) != SSL_ERROR_WANT_WRITE;
    break;
  }
  out_.erase(0, written);
  ERR_clear_error();
  return !closed_;
}

void Http2Peer::Wait(bool writing, absl::Duration patience) {
  if (closed_ || (options_.reads && SSL_pending(ssl_) > 0)) return;
  pollfd p = {.fd = fd_, .events = 0, .revents = 0};
  if (options_.reads) p.events |= POLLIN;
  if (writing) p.events |= POLLOUT;
  poll(&p, 1, static_cast<int>(absl::ToInt64Milliseconds(patience)));
}

void Http2Peer::TakeFrames() {
  size_t at = 0;
  while (in_.size() - at >= kFrameHeaderBytes) {
    const absl::string_view rest = absl::string_view(in_).substr(at);
    const size_t size = ReadBigEndian32(rest) >> 8;
    if (rest.size() - kFrameHeaderBytes < size) break;
    OnFrame(static_cast<FrameType>(rest[3]), static_cast<uint8_t>(rest[4]),
            ReadBigEndian32(rest.substr(5)) & 0x7fffffff, rest.substr(kFrameHeaderBytes, size));
    at += kFrameHeaderBytes + size;
  }
  in_.erase(0, at);
}

void Http2Peer::OnFrame(FrameType type, uint8_t flags, uint32_t stream, absl::string_view payload) {
  switch (type) {
    case FrameType::kData:
      if (!payload.empty()) {
        const std::string increment = BigEndian32(static_cast<uint32_t>(payload.size()));
        absl::StrAppend(&out_, Frame(FrameType::kWindowUpdate, 0, 0, increment),
                        Frame(FrameType::kWindowUpdate, 0, stream, increment));
      }
      [[fallthrough]];
    case FrameType::kHeaders:
      if ((flags & kEndStream) != 0) ended_.insert(stream);
      break;
    case FrameType::kRstStream:
      ended_.insert(stream);
      break;
    case FrameType::kSettings:
      if ((flags & kAck) == 0) {
        OnSettings(payload);
        absl::StrAppend(&out_, Frame(FrameType::kSettings, kAck, 0, ""));
      }
      break;
    case FrameType::kPing:
      if ((flags & kAck) == 0) absl::StrAppend(&out_, Frame(FrameType::kPing, kAck, 0, payload));
      break;
    case FrameType::kGoAway:
      goaway_ = true;
      break;
    case FrameType::kWindowUpdate:
      if (payload.size() == 4) {
        const int64_t increment = ReadBigEndian32(payload) & 0x7fffffff;
        if (stream == 0) {
          connection_window_ += increment;
        } else {
          window_changes_[stream] += increment;
        }
      }
      break;
    default:
      break;
  }
}

void Http2Peer::OnSettings(absl::string_view payload) {
  for (; payload.size() >= 6; payload.remove_prefix(6)) {
    const uint32_t value = ReadBigEndian32(payload.substr(2));
    switch (static_cast<uint8_t>(payload[1])) {
      case kSettingMaxStreams:
        max_streams_ = value;
        break;
      case kSettingInitialWindow:
        initial_send_window_ = value;
        break;
      default:
        break;
    }
  }
}

}  // namespace bellwire::tests
