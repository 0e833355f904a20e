#include "connector/testing/test_agent.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "net/socket/frame_codec.h"

namespace bellwire::connector {

namespace {

void DieUnless(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "test agent: %s\n", what);
  std::abort();
}

}  // namespace

std::unique_ptr<TestAgent> TestAgent::ConnectTcp(absl::string_view address) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(address, ':');
  int port = 0;
  DieUnless(absl::SimpleAtoi(parts.second, &port), "bad address");
  // OpenSSL writes without MSG_NOSIGNAL, and some of our peers have just hung up.
  signal(SIGPIPE, SIG_IGN);
  auto agent = std::unique_ptr<TestAgent>(new TestAgent);
  agent->fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  DieUnless(agent->fd_ >= 0, "no socket");
  const timeval patience = absl::ToTimeval(kPatience);
  setsockopt(agent->fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(agent->fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  const int on = 1;
  setsockopt(agent->fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  DieUnless(connect(agent->fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0,
            "cannot connect");
  return agent;
}

std::unique_ptr<TestAgent> TestAgent::ConnectTls(absl::string_view address,
                                                 const Options& options) {
  std::unique_ptr<TestAgent> agent = ConnectTcp(address);
  agent->ctx_ = SSL_CTX_new(TLS_client_method());
  agent->ssl_ = SSL_new(agent->ctx_);
  if (!options.alpn.empty()) {
    const std::string wire = static_cast<char>(options.alpn.size()) + options.alpn;
    SSL_set_alpn_protos(agent->ssl_, reinterpret_cast<const unsigned char*>(wire.data()),
                        static_cast<unsigned>(wire.size()));
  }
  if (options.ticket != nullptr) SSL_set_session(agent->ssl_, options.ticket);
  SSL_set_fd(agent->ssl_, agent->fd_);
  if (SSL_connect(agent->ssl_) != 1) return nullptr;
  return agent;
}

TestAgent::~TestAgent() {
  SSL_free(ssl_);
  SSL_CTX_free(ctx_);
  close(fd_);
}

void TestAgent::WriteRaw(absl::string_view bytes) {
  // The peer may have closed already: that is for WaitRawClosed to see.
  while (!bytes.empty()) {
    const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

bool TestAgent::WaitRawClosed() {
  char buffer[4096];
  for (;;) {
    const ssize_t n = recv(fd_, buffer, sizeof(buffer), 0);
    if (n == 0 || (n < 0 && errno == ECONNRESET)) return true;
    if (n < 0) return false;
  }
}

void TestAgent::Write(absl::string_view bytes) {
  if (!bytes.empty()) SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()));
}

void TestAgent::Send(const device::v1::AgentFrame& frame) {
  std::string bytes;
  net::AppendFrame(frame.SerializeAsString(), &bytes);
  Write(bytes);
}

bool TestAgent::ReadExactly(char* out, size_t size) {
  while (size > 0) {
    const int n = SSL_read(ssl_, out, static_cast<int>(size));
    if (n <= 0) {
      DieUnless(SSL_get_error(ssl_, n) != SSL_ERROR_WANT_READ, "no answer");
      return false;
    }
    out += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

std::optional<device::v1::ConnectorFrame> TestAgent::Receive() {
  size_t size = 0;
  for (int shift = 0;; shift += 7) {
    char c;
    if (!ReadExactly(&c, 1)) return std::nullopt;
    size |= static_cast<size_t>(c & 0x7f) << shift;
    if ((c & 0x80) == 0) break;
  }
  std::string body(size, '\0');
  if (!ReadExactly(body.data(), size)) return std::nullopt;
  device::v1::ConnectorFrame frame;
  DieUnless(frame.ParseFromString(body), "not a ConnectorFrame");
  return frame;
}

void TestAgent::SendKeyUpdates(int times) {
  for (int i = 0; i < times; ++i) {
    if (SSL_key_update(ssl_, SSL_KEY_UPDATE_NOT_REQUESTED) != 1) return;
    if (SSL_do_handshake(ssl_) != 1) return;
  }
}

bool TestAgent::IsClosed() const {
  pollfd poll_fd = {.fd = fd_, .events = POLLRDHUP, .revents = 0};
  return poll(&poll_fd, 1, /*timeout=*/0) > 0;
}

bool TestAgent::WaitClosed() {
  while (Receive().has_value()) {
  }
  return true;
}

device::v1::AgentFrame TestAgent::LoginFrame(const DeviceKey& key, uint64_t login_number) const {
  unsigned char exporter[kTlsExporterBytes];
  static constexpr absl::string_view kLabel = "EXPORTER-Channel-Binding";
  DieUnless(SSL_export_keying_material(ssl_, exporter, sizeof(exporter), kLabel.data(),
                                       kLabel.size(), nullptr, 0, 0) == 1,
            "no exporter");
  device::v1::AgentFrame frame;
  device::v1::Login* login = frame.mutable_login();
  login->set_public_key(key.public_key_der());
  login->set_login_number(login_number);
  const absl::StatusOr<std::string> signature = key.SignLogin(
      absl::string_view(reinterpret_cast<const char*>(exporter), sizeof(exporter)), login_number);
  DieUnless(signature.ok(), "no signature");
  login->set_signature(*signature);
  login->set_agent_version("test");
  return frame;
}

std::optional<device::v1::ConnectorFrame> TestAgent::Login(const DeviceKey& key,
                                                           uint64_t login_number) {
  Send(LoginFrame(key, login_number));
  return Receive();
}

}  // namespace bellwire::connector
