#include "net/tls/tls_client.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "net/dial/resolver.h"
#include "net/dial/tcp_connector.h"
#include "net/socket/address.h"
#include "net/socket/close_reason.h"
#include "net/socket/socket_stream.h"
#include "net/socket/tcp_socket.h"
#include "net/tls/tls_transport.h"

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
        deadline_(loop->NewTimer([this] { OnDeadline(); })),
        watch_(loop, [this](uint32_t) { OnReady(); }) {
    deadline_->Arm(timeout);
    Start();
  }
  ~ConnectingStream() override { Abandon(); }

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
  std::string local_host() const override { return open_ ? inner_->local_host() : std::string(); }
  std::optional<bool> peer_received_all() const override {
    return open_ ? inner_->peer_received_all() : std::nullopt;
  }

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
      return ConnectTo({*numeric});
    }
    resolution_ =
        std::make_unique<Resolution>(loop_, parts->host, parts->port,
                                     [this](absl::StatusOr<std::vector<SocketAddress>> addresses) {
                                       if (!addresses.ok()) {
                                         FailSoon(addresses.status());
                                         return;
                                       }
                                       ConnectTo(*addresses);
                                     });
  }

  void ConnectTo(const std::vector<SocketAddress>& addresses) {
    resolved_ = true;
    connector_ = std::make_unique<TcpConnector>(
        loop_, addresses, [this](absl::StatusOr<int> fd) { OnConnected(std::move(fd)); });
    connector_->Start();
  }

  void OnConnected(absl::StatusOr<int> fd) {
    if (!fd.ok()) return FailSoon(fd.status());
    TuneTcpClient(*fd, kHeartbeatAckTimeout);
    inner_ = std::make_unique<SocketStream>(
        loop_, TlsTransport::Client(context_, *fd, server_name_, session_), address_text_);
    inner_->SetDelegate(this);
    if (paused_) inner_->PauseReading();
  }

  void OnReady() {
    if (!failure_.ok()) End(failure_);
  }

  void OnDeadline() {
    if (!failure_.ok()) return;  // To be told already.
    const char* const what = inner_ != nullptr ? "the TLS handshake"
                             : !resolved_      ? "the name lookup"
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
    deadline_->Cancel();
    watch_.Stop();
    resolution_.reset();
    if (connector_ == nullptr) return;
    // It may be what calls us.
    connector_->Cancel();
    loop_->DeleteLater(std::move(connector_));
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
  const std::unique_ptr<Timer> deadline_;
  Stream::Delegate* delegate_ = nullptr;

  // While there is no socket.
  std::unique_ptr<Resolution> resolution_;
  bool resolved_ = false;
  std::unique_ptr<TcpConnector> connector_;
  // For its Wake.
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
