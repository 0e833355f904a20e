#include "tests/support/raw_device.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"

namespace bellwire::tests {
namespace {

// `from`: an IPv4 address to come from; empty: any.
absl::StatusOr<int> Connect(const sockaddr* address, socklen_t size, int family,
                            const std::string& from = "") {
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::ErrnoToStatus(errno, "socket");
  sockaddr_in source = {};
  source.sin_family = AF_INET;
  const auto* const bound = reinterpret_cast<const sockaddr*>(&source);
  if (!from.empty() && (inet_pton(AF_INET, from.c_str(), &source.sin_addr) != 1 ||
                        bind(fd, bound, sizeof(source)) != 0)) {
    close(fd);
    return absl::InvalidArgumentError(absl::StrCat("can't come from ", from));
  }
  if (connect(fd, address, size) != 0) {
    const int error = errno;
    close(fd);
    return absl::ErrnoToStatus(error, "connect");
  }
  const timeval timeout = {.tv_sec = 10, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  return fd;
}

// docs/reference/wire_protocol.md, "Frames".
std::string EncodeFrame(absl::string_view body) {
  std::string out;
  size_t n = body.size();
  while (n >= 0x80) {
    out.push_back(static_cast<char>(n | 0x80));
    n >>= 7;
  }
  out.push_back(static_cast<char>(n));
  return absl::StrCat(out, body);
}

// Takes one frame off the front of `bytes`; false if it isn't complete.
bool TakeFrame(std::string* bytes, std::string* body) {
  size_t length = 0, i = 0;
  for (int shift = 0;; shift += 7) {
    if (i == bytes->size()) return false;
    const unsigned char c = static_cast<unsigned char>((*bytes)[i++]);
    length |= static_cast<size_t>(c & 0x7f) << shift;
    if ((c & 0x80) == 0) break;
  }
  if (bytes->size() - i < length) return false;
  *body = bytes->substr(i, length);
  bytes->erase(0, i + length);
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RawConnection>> RawConnection::ConnectTcp(
    const std::string& address, const std::string& from) {
  const size_t colon = address.rfind(':');
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  // "[2001:db8::1]:7444" is written with brackets and looked up without.
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  if (getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(), &hints, &found) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("no such address: ", address));
  }
  const absl::StatusOr<int> fd = Connect(found->ai_addr, found->ai_addrlen, found->ai_family, from);
  freeaddrinfo(found);
  if (!fd.ok()) return fd.status();
  return std::unique_ptr<RawConnection>(new RawConnection(*fd));
}

absl::StatusOr<std::unique_ptr<RawConnection>> RawConnection::ConnectUnix(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return absl::InvalidArgumentError("path too long");
  memcpy(address.sun_path, path.data(), path.size());
  const absl::StatusOr<int> fd =
      Connect(reinterpret_cast<const sockaddr*>(&address), sizeof(address), AF_UNIX);
  if (!fd.ok()) return fd.status();
  return std::unique_ptr<RawConnection>(new RawConnection(*fd));
}

absl::StatusOr<std::unique_ptr<RawConnection>> RawConnection::ConnectTls(const std::string& address,
                                                                         const Tls& tls) {
  absl::StatusOr<std::unique_ptr<RawConnection>> connection = ConnectTcp(address, tls.from);
  if (!connection.ok()) return connection.status();
  RawConnection& c = **connection;
  c.context_ = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(c.context_, TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(c.context_, tls.max_version);
  if (SSL_CTX_load_verify_locations(c.context_, tls.ca_file.c_str(), nullptr) != 1) {
    return absl::InvalidArgumentError(absl::StrCat("can't read ", tls.ca_file));
  }
  SSL_CTX_set_verify(c.context_, SSL_VERIFY_PEER, nullptr);
  c.ssl_ = SSL_new(c.context_);
  if (!tls.alpn.empty()) {
    SSL_set_alpn_protos(c.ssl_, reinterpret_cast<const unsigned char*>(tls.alpn.data()),
                        static_cast<unsigned>(tls.alpn.size()));
  }
  SSL_set_fd(c.ssl_, c.fd_);
  const timeval timeout = {.tv_sec = 20, .tv_usec = 0};
  setsockopt(c.fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  if (SSL_connect(c.ssl_) != 1) {
    char text[256];
    ERR_error_string_n(ERR_get_error(), text, sizeof(text));
    return absl::UnavailableError(absl::StrCat("TLS handshake: ", text));
  }
  return connection;
}

RawConnection::~RawConnection() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
  close(fd_);
}

void RawConnection::Write(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ssl_ != nullptr
                          ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                          : send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

absl::StatusOr<std::string> RawConnection::Read(absl::Duration patience) {
  const MonotonicTime deadline = RealClock()->Monotonic() + patience;
  for (;;) {
    if (ssl_ == nullptr || SSL_pending(ssl_) == 0) {
      pollfd p = {.fd = fd_, .events = POLLIN, .revents = 0};
      const absl::Duration left = deadline - RealClock()->Monotonic();
      const int wait_ms = static_cast<int>(absl::ToInt64Milliseconds(left));
      if (wait_ms <= 0 || poll(&p, 1, wait_ms) == 0) {
        return absl::DeadlineExceededError("the peer says nothing");
      }
    }
    char buffer[16 * 1024];
    const ssize_t n = ssl_ != nullptr ? SSL_read(ssl_, buffer, sizeof(buffer))
                                      : recv(fd_, buffer, sizeof(buffer), 0);
    if (n > 0) return std::string(buffer, static_cast<size_t>(n));
    // A record that holds no application data, such as a session ticket: wait for more.
    if (ssl_ != nullptr && SSL_get_error(ssl_, static_cast<int>(n)) == SSL_ERROR_WANT_READ)
      continue;
    return absl::UnavailableError("the peer closed the connection");
  }
}

bool RawConnection::ClosedByPeer(absl::Duration patience) {
  const MonotonicTime deadline = RealClock()->Monotonic() + patience;
  for (;;) {
    const absl::StatusOr<std::string> bytes = Read(deadline - RealClock()->Monotonic());
    if (!bytes.ok()) return absl::IsUnavailable(bytes.status());
  }
}

std::string RawConnection::TlsExporter() {
  std::string out(32, '\0');
  constexpr absl::string_view kLabel = "EXPORTER-Channel-Binding";
  SSL_export_keying_material(ssl_, reinterpret_cast<unsigned char*>(out.data()), out.size(),
                             kLabel.data(), kLabel.size(), nullptr, 0, 0);
  return out;
}

absl::StatusOr<std::unique_ptr<RawDevice>> RawDevice::Login(const std::string& address,
                                                            const std::string& ca_file,
                                                            const DeviceKey& key,
                                                            uint64_t login_number,
                                                            const device::v1::Login& extra,
                                                            const std::string& from) {
  absl::StatusOr<std::unique_ptr<RawConnection>> connection =
      RawConnection::ConnectTls(address, {.ca_file = ca_file, .from = from});
  if (!connection.ok()) return connection.status();
  std::unique_ptr<RawDevice> device(new RawDevice(std::move(*connection)));
  const absl::StatusOr<std::string> signature =
      key.SignLogin(device->connection_->TlsExporter(), login_number);
  if (!signature.ok()) return signature.status();
  device::v1::AgentFrame frame;
  device::v1::Login& login = *frame.mutable_login();
  login = extra;
  login.set_public_key(key.public_key_der());
  login.set_signature(*signature);
  login.set_login_number(login_number);
  login.set_agent_version("raw-device/1");
  device->Send(frame);
  const absl::StatusOr<device::v1::ConnectorFrame> answer = device->Next();
  if (!answer.ok()) return answer.status();
  if (!answer->has_welcome()) {
    return absl::PermissionDeniedError(absl::StrCat("no Welcome but GoAway ",
                                                    static_cast<int>(answer->go_away().reason()),
                                                    ": ", answer->go_away().detail()));
  }
  device->welcome_ = answer->welcome();
  return device;
}

void RawDevice::Send(const device::v1::AgentFrame& frame) {
  connection_->Write(EncodeFrame(frame.SerializeAsString()));
}

void RawDevice::SendHeartbeat() { connection_->Write(EncodeFrame("")); }

absl::StatusOr<device::v1::ConnectorFrame> RawDevice::Next(absl::Duration patience) {
  for (;;) {
    std::string body;
    while (TakeFrame(&received_, &body)) {
      if (body.empty()) {
        ++heartbeats_received_;
        continue;
      }
      device::v1::ConnectorFrame frame;
      if (!frame.ParseFromString(body)) return absl::DataLossError("not a ConnectorFrame");
      return frame;
    }
    const absl::StatusOr<std::string> bytes = connection_->Read(patience);
    if (!bytes.ok()) return bytes.status();
    received_ += *bytes;
  }
}

absl::StatusOr<std::string> RawDevice::RegisterApp(const std::string& app_id) {
  device::v1::AgentFrame frame;
  frame.mutable_register_app()->set_request_id(1);
  frame.mutable_register_app()->set_app_id(app_id);
  Send(frame);
  const absl::StatusOr<device::v1::ConnectorFrame> answer = Next();
  if (!answer.ok()) return answer.status();
  if (answer->app_registered().outcome() != device::v1::AppRegistered::OK) {
    return absl::InternalError(absl::StrCat("not registered: outcome ",
                                            static_cast<int>(answer->app_registered().outcome())));
  }
  return answer->app_registered().token();
}

}  // namespace bellwire::tests
