#include "cli/doctor/facts/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/doctor/facts/certificate_facts.h"
#include "cli/doctor/facts/ready_answer.h"
#include "common/host_port.h"
#include "crypto/device_key.h"
#include "crypto/openssl_ptr.h"
#include "net/socket/frame_codec.h"

namespace bellwire::cli {
namespace {

using Step = ConnectionFacts::Step;
using Kind = ConnectionFacts::Kind;

// In TLS's format: each name with its length before it.
constexpr absl::string_view kDeviceProtocols =
    "\x0a"
    "bellwire/1";
constexpr absl::string_view kProviderProtocols =
    "\x08"
    "http/1.1";

using SslCtxPtr = OpenSslPtr<SSL_CTX, SSL_CTX_free>;
using SslPtr = OpenSslPtr<SSL, SSL_free>;

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

// One probe. Each step notes in `facts_` where it failed, and answers whether it did not.
class Prober {
 public:
  Prober(const ProbeTarget& target, const Clock& clock) : target_(target), clock_(clock) {
    facts_.kind = target.kind;
    facts_.address = target.address;
    facts_.server_name = target.server_name;
    facts_.ca_path = target.ca_path;
  }

  ConnectionFacts Run() {
    (void)(Resolve() && Connect() && Handshake() && CheckProtocol() && CheckTrust() && Ask());
    ERR_clear_error();
    facts_.our_time = clock_.WallNow();
    return std::move(facts_);
  }

 private:
  bool Fail(Step step, std::string message) {
    facts_.failed = step;
    facts_.message = std::move(message);
    return false;
  }
  bool TimeOut(Step step) {
    facts_.timed_out = true;
    return Fail(step, "no answer");
  }

  bool Resolve() {
    const absl::StatusOr<HostPort> parsed = ParseHostPort(target_.address);
    if (!parsed.ok() || parsed->host.empty() || parsed->port == 0) {
      return Fail(Step::kAddress, "not HOST:PORT");
    }
    if (facts_.server_name.empty()) facts_.server_name = parsed->host;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int error =
        getaddrinfo(parsed->host.c_str(), absl::StrCat(parsed->port).c_str(), &hints, &found);
    if (error != 0) return Fail(Step::kName, gai_strerror(error));
    addresses_.reset(found);
    return true;
  }

  // True once `fd` has the event; false when the patience is over.
  bool Wait(int fd, short event) const {
    const MonotonicTime end = clock_.Monotonic() + kProbePatience;
    while (true) {
      const int64_t left_ms = absl::ToInt64Milliseconds(end - clock_.Monotonic());
      if (left_ms <= 0) return false;
      pollfd polled{.fd = fd, .events = event, .revents = 0};
      const int ready = poll(&polled, 1, static_cast<int>(left_ms));
      if (ready > 0) return true;
      if (ready == 0) return false;
      if (errno != EINTR) return false;
    }
  }

  bool Connect() {
    int tried = 0;
    for (const addrinfo* address = addresses_.get();
         address != nullptr && tried < kMaxProbedAddresses; address = address->ai_next, ++tried) {
      auto fd = std::make_unique<Descriptor>(
          socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      facts_.timed_out = false;
      facts_.error = 0;
      if (fd->get() < 0) {
        facts_.error = errno;
        continue;
      }
      if (connect(fd->get(), address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS) {
        facts_.error = errno;
        continue;
      }
      if (!Wait(fd->get(), POLLOUT)) {
        facts_.timed_out = true;
        continue;
      }
      socklen_t size = sizeof(facts_.error);
      getsockopt(fd->get(), SOL_SOCKET, SO_ERROR, &facts_.error, &size);
      if (facts_.error != 0) continue;
      fd_ = std::move(fd);
      return true;
    }
    return Fail(Step::kTcp, facts_.timed_out ? "no answer" : strerror(facts_.error));
  }

  // Calls `step`, which answers as SSL_connect does, until it is done: 1, or 0 after an error.
  // nullopt: the peer is silent.
  template <typename SslStep>
  std::optional<int> Drive(SslStep step) {
    while (true) {
      ERR_clear_error();
      const int result = step();
      if (result > 0) return result;
      const int error = SSL_get_error(ssl_.get(), result);
      if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return 0;
      if (!Wait(fd_->get(), error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT)) return std::nullopt;
    }
  }

  bool Handshake() {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    const bool device = target_.kind == Kind::kDevicePort;
    SSL_CTX_set_min_proto_version(context_.get(), device ? TLS1_3_VERSION : TLS1_2_VERSION);
    // Noted, and judged after the handshake: what the server shows is wanted in any case.
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_NONE, nullptr);
    if (!target_.ca_path.empty() &&
        SSL_CTX_load_verify_locations(context_.get(), target_.ca_path.c_str(), nullptr) != 1) {
      return Fail(Step::kTrust, absl::StrCat("can't read the CA ", target_.ca_path));
    }
    ssl_.reset(SSL_new(context_.get()));
    const absl::string_view protocols = device ? kDeviceProtocols : kProviderProtocols;
    SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                        static_cast<unsigned>(protocols.size()));
    X509_VERIFY_PARAM* const param = SSL_get0_param(ssl_.get());
    if (X509_VERIFY_PARAM_set1_ip_asc(param, facts_.server_name.c_str()) != 1) {
      X509_VERIFY_PARAM_set1_host(param, facts_.server_name.c_str(), 0);
      SSL_set_tlsext_host_name(ssl_.get(), facts_.server_name.c_str());
    }
    SSL_set_fd(ssl_.get(), fd_->get());
    const std::optional<int> done = Drive([this] { return SSL_connect(ssl_.get()); });
    if (!done.has_value()) return TimeOut(Step::kTls);
    if (*done == 1) return true;
    const unsigned long error = ERR_peek_error();
    const int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
    if (reason == SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL) {
      return Fail(Step::kProtocol, "it refuses our application protocol");
    }
    facts_.not_tls = reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
                     reason == SSL_R_PACKET_LENGTH_TOO_LONG || reason == SSL_R_RECORD_TOO_SMALL;
    const char* const text = ERR_reason_error_string(error);
    return Fail(Step::kTls, text == nullptr ? "the connection was closed" : text);
  }

  bool CheckProtocol() {
    const X509Ptr shown(SSL_get1_peer_certificate(ssl_.get()));
    if (shown != nullptr) facts_.certificate = FactsOf(shown.get());
    const unsigned char* chosen = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &chosen, &size);
    const absl::string_view protocol(reinterpret_cast<const char*>(chosen), size);
    const bool device = target_.kind == Kind::kDevicePort;
    if (protocol == (device ? kDeviceProtocols : kProviderProtocols).substr(1)) return true;
    return Fail(Step::kProtocol, protocol.empty() ? "it chose no application protocol"
                                                  : absl::StrCat("it chose ", protocol));
  }

  bool CheckTrust() {
    if (!target_.pin.empty() && (!facts_.certificate.has_value() ||
                                 facts_.certificate->pin != absl::AsciiStrToLower(target_.pin))) {
      return Fail(Step::kTrust, "its key has another pin");
    }
    if (target_.ca_path.empty()) return true;
    const long result = SSL_get_verify_result(ssl_.get());
    if (result == X509_V_OK) return true;
    facts_.verify_error = static_cast<int>(result);
    return Fail(Step::kTrust, X509_verify_cert_error_string(result));
  }

  bool Ask() { return target_.kind == Kind::kDevicePort ? AskToLogIn() : AskWhetherReady(); }

  bool Send(absl::string_view bytes) {
    const std::optional<int> sent =
        Drive([&] { return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())); });
    return sent.value_or(0) > 0;
  }

  // The next bytes; empty at the end. nullopt: the peer is silent.
  std::optional<std::string> Receive() {
    char buffer[4096];
    const std::optional<int> size =
        Drive([&] { return SSL_read(ssl_.get(), buffer, sizeof(buffer)); });
    if (!size.has_value()) return std::nullopt;
    return std::string(buffer, static_cast<size_t>(*size));
  }

  // With a key made for this, and a signature of something else: no device logs in, and nothing is
  // written.
  bool AskToLogIn() {
    const auto key = DeviceKey::Generate();
    if (!key.ok()) return Fail(Step::kAnswer, key.status().ToString());
    const auto signature = (*key)->SignLogin(std::string(kTlsExporterBytes, '\0'), 1);
    if (!signature.ok()) return Fail(Step::kAnswer, signature.status().ToString());
    device::v1::AgentFrame frame;
    device::v1::Login& login = *frame.mutable_login();
    login.set_public_key((*key)->public_key_der());
    login.set_signature(*signature);
    login.set_login_number(1);
    login.set_agent_version("bellwire-doctor");
    std::string bytes;
    net::AppendFrame(frame.SerializeAsString(), &bytes);
    if (!Send(bytes)) return Fail(Step::kAnswer, "the connection was closed");
    net::FrameDecoder decoder(kMaxProbeAnswerBytes);
    bool answered = false;
    while (!answered) {
      const std::optional<std::string> received = Receive();
      if (!received.has_value()) return TimeOut(Step::kAnswer);
      if (received->empty()) return Fail(Step::kAnswer, "the connection was closed");
      const absl::Status status = decoder.Feed(*received, [&](absl::string_view body) {
        device::v1::ConnectorFrame answer;
        if (!answer.ParseFromArray(body.data(), static_cast<int>(body.size())) ||
            !answer.has_go_away()) {
          return true;
        }
        answered = true;
        facts_.go_away = answer.go_away().reason();
        facts_.message = answer.go_away().detail();
        return false;
      });
      if (!status.ok()) return Fail(Step::kAnswer, std::string(status.message()));
    }
    if (facts_.go_away == device::v1::GoAway::LOGIN_REFUSED) {
      facts_.message.clear();
      return true;
    }
    facts_.failed = Step::kAnswer;
    return false;
  }

  bool AskWhetherReady() {
    if (!Send(absl::StrCat("GET /readyz HTTP/1.1\r\nHost: ", facts_.server_name,
                           "\r\nConnection: close\r\n\r\n"))) {
      return Fail(Step::kAnswer, "the connection was closed");
    }
    std::string answer;
    while (!absl::StrContains(answer, "\r\n\r\n") && answer.size() < kMaxProbeAnswerBytes) {
      const std::optional<std::string> received = Receive();
      if (!received.has_value()) return TimeOut(Step::kAnswer);
      if (received->empty()) break;
      answer += *received;
    }
    const std::optional<ReadyAnswer> ready = ParseReadyAnswer(answer);
    if (!ready.has_value()) {
      return Fail(Step::kAnswer, "it does not answer as a provider port does");
    }
    facts_.http_status = ready->status;
    facts_.server_time = ready->date;
    if (facts_.http_status == 200) return true;
    return Fail(Step::kAnswer, absl::StrCat("/readyz says ", facts_.http_status));
  }

  const ProbeTarget& target_;
  const Clock& clock_;
  ConnectionFacts facts_;
  std::unique_ptr<addrinfo, FreeAddresses> addresses_;
  std::unique_ptr<Descriptor> fd_;
  SslCtxPtr context_;
  SslPtr ssl_;
};

}  // namespace

ConnectionFacts Probe(const ProbeTarget& target, const Clock& clock) {
  return Prober(target, clock).Run();
}

}  // namespace bellwire::cli
