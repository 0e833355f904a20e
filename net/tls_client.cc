#include "net/tls_client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "net/address.h"
#include "net/close_reason.h"
#include "net/resolver.h"
#include "net/socket_stream.h"
#include "net/tls_transport.h"

namespace bellwire::net {
namespace {

// A connection from the first look at its address on: resolves, connects, shakes hands, and from
// then on only passes on to the SocketStream below it.
class ConnectingStream final : public Stream, private Stream::Delegate {
 public:
  ConnectingStream(EpollLoop* loop, std::shared_ptr<TlsClientContext> context,
                   TlsSessionSlot* session, absl::string_view address,
                   absl::string_view server_name, absl::Duration timeout)
      : loop_(loop),
        context_(std::move(context)),
        session_(session),
        address_text_(address),
        server_name_(server_name),
        deadline_at_(loop->clock().Monotonic() + timeout),
        deadline_(loop->NewTimer([this] { OnDeadline(); })),
        attempt_deadline_(loop->NewTimer([this] {
          AttemptFailed(ETIMEDOUT);
          ConnectNext();
        })),
        watch_(loop, [this](uint32_t) { OnReady(); }) {
    deadline_->Arm(timeout);
    Start();
  }
  ~ConnectingStream() override { DropAttempt(); }

  void SetDelegate(Stream::Delegate* delegate) override {
    delegate_ = delegate;
    if (open_) inner_->SetDelegate(delegate);
  }
  void Write(absl::string_view data) override {
    if (open_) inner_->Write(data);
  }
  size_t buffered_bytes() const override { return open_ ? inner_->buffered_bytes() : 0; }
  void Close() override {
    Abandon();
    if (inner_ == nullptr) return;
    inner_->Close();
  }
  void PauseReading() override {
    paused_ = true;
    if (inner_ != nullptr) inner_->PauseReading();
  }
  void ResumeReading() override {
    paused_ = false;
    if (inner_ != nullptr) inner_->ResumeReading();
  }
  std::string tls_exporter() const override {
    return open_ ? inner_->tls_exporter() : std::string();
  }
  std::string peer_name() const override { return address_text_; }

 private:
  void Start() {
    const absl::StatusOr<HostPort> parts = ParseHostPort(address_text_);
    if (!parts.ok() || parts->host.empty() || parts->port == 0) {
      FailSoon(parts.ok() ? MakeError(absl::StatusCode::kInvalidArgument, "BAD_ADDRESS",
                                      absl::StrCat("\"", address_text_,
                                                   "\" names no host or no port to connect to"))
                          : parts.status());
      return;
    }
    if (server_name_.empty()) server_name_ = parts->host;
    if (const auto numeric = NumericAddress(parts->host, parts->port)) {
      addresses_ = {*numeric};
      ConnectNext();
      return;
    }
    resolution_ =
        std::make_unique<Resolution>(loop_, parts->host, parts->port,
                                     [this](absl::StatusOr<std::vector<SocketAddress>> addresses) {
                                       if (!addresses.ok()) {
                                         FailSoon(addresses.status());
                                         return;
                                       }
                                       addresses_ = *std::move(addresses);
                                       ConnectNext();
                                     });
  }

  // Begins with the next address that gives hope; without one, fails as the last one did.
  void ConnectNext() {
    while (next_address_ < addresses_.size()) {
      const SocketAddress& address = addresses_[next_address_++];
      fd_ = socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      if (fd_ < 0) {
        AttemptFailed(errno);
        continue;
      }
      if (connect(fd_, address.get(), address.size) != 0 && errno != EINPROGRESS) {
        AttemptFailed(errno);
        continue;
      }
      if (absl::Status status = watch_.Start(fd_); !status.ok()) {
        AttemptFailed(ENOBUFS);
        continue;
      }
      // A black hole must leave time for the addresses behind it.
      const absl::Duration left = deadline_at_ - loop_->clock().Monotonic();
      attempt_deadline_->Arm(left / static_cast<int64_t>(addresses_.size() - next_address_ + 1));
      return;
    }
    FailSoon(last_error_);
  }

  void AttemptFailed(int error) {
    last_error_ =
        MakeError(absl::StatusCode::kUnavailable, kCannotConnect,
                  absl::StrCat("cannot connect to ", FormatAddress(addresses_[next_address_ - 1]),
                               ": ", strerror(error)));
    DropAttempt();
  }

  void DropAttempt() {
    attempt_deadline_->Cancel();
    watch_.Stop();
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  void OnReady() {
    if (!failure_.ok()) {
      End(failure_);
      return;
    }
    if (fd_ < 0) return;
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      AttemptFailed(error);
      ConnectNext();
      return;
    }
    SocketAddress peer;
    peer.size = sizeof(peer.storage);
    if (getpeername(fd_, peer.get(), &peer.size) != 0) return;  // Still connecting.
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    watch_.Stop();
    attempt_deadline_->Cancel();
    inner_ = std::make_unique<SocketStream>(
        loop_, TlsTransport::Client(context_, std::exchange(fd_, -1), server_name_, session_),
        address_text_);
    inner_->SetDelegate(this);
    if (paused_) inner_->PauseReading();
  }

  void OnDeadline() {
    if (!failure_.ok()) return;  // To be told already.
    const char* const what = inner_ != nullptr    ? "the TLS handshake"
                             : addresses_.empty() ? "the name lookup"
                                                  : "the TCP connection";
    FailSoon(MakeError(
        absl::StatusCode::kDeadlineExceeded, kConnectTimedOut,
        absl::StrCat("no connection to ", address_text_, " in time: ", what, " took too long")));
  }

  // Tells the owner from the loop, never from inside a method.
  void FailSoon(absl::Status status) {
    failure_ = std::move(status);
    Abandon();
    inner_.reset();
    watch_.Wake();
  }

  // Stops whatever is under way to open the connection.
  void Abandon() {
    DropAttempt();
    deadline_->Cancel();
    resolution_.reset();
  }

  void End(absl::Status status) {
    failure_ = absl::OkStatus();
    if (Stream::Delegate* delegate = std::exchange(delegate_, nullptr)) delegate->OnClosed(status);
  }

  // Stream::Delegate, until the handshake is done.
  void OnOpen() override {
    open_ = true;
    Abandon();
    inner_->SetDelegate(delegate_);
    delegate_->OnOpen();
  }
  void OnData(absl::string_view) override {}
  void OnClosed(const absl::Status& status) override {
    Abandon();
    End(status);
  }

  EpollLoop* const loop_;
  const std::shared_ptr<TlsClientContext> context_;
  TlsSessionSlot* const session_;
  const std::string address_text_;
  std::string server_name_;
  const MonotonicTime deadline_at_;
  const std::unique_ptr<Timer> deadline_;
  const std::unique_ptr<Timer> attempt_deadline_;
  Stream::Delegate* delegate_ = nullptr;

  // While there is no socket.
  std::unique_ptr<Resolution> resolution_;
  std::vector<SocketAddress> addresses_;
  size_t next_address_ = 0;
  absl::Status last_error_;
  // While it connects.
  int fd_ = -1;
  FdWatch watch_;
  // To be told by OnReady.
  absl::Status failure_;
  // From connected on.
  std::unique_ptr<SocketStream> inner_;
  bool open_ = false;
  bool paused_ = false;
};

}  // namespace

TlsClient::TlsClient(EpollLoop* loop, std::shared_ptr<TlsClientContext> context)
    : loop_(loop), context_(std::move(context)) {}

std::unique_ptr<Stream> TlsClient::Connect(absl::string_view address, absl::string_view server_name,
                                           absl::Duration timeout) {
  return std::make_unique<ConnectingStream>(loop_, context_, &session_, address, server_name,
                                            timeout);
}

}  // namespace bellwire::net
