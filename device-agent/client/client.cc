#include "device-agent/client/client.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "device-agent/client/agent_socket.h"
#include "device-agent/client/handled_deliveries.h"
#include "device-agent/core/backoff.h"

namespace bellwire::agent {
namespace {

// The agent is on the same machine and back within a second of its restart.
constexpr absl::Duration kReconnectBaseWait = absl::Milliseconds(50);
constexpr absl::Duration kReconnectMaxWait = absl::Seconds(2);

class ClientImpl final : public Client {
 public:
  ClientImpl(const ClientOptions& options, ClientCallbacks callbacks)
      : options_(options),
        callbacks_(std::move(callbacks)),
        backoff_(kReconnectBaseWait, kReconnectMaxWait, random_) {}
  ~ClientImpl() override;

  absl::Status Init();

  void Register() override;
  void Unregister() override;
  void Ack(const std::vector<uint64_t>& delivery_ids) override;
  int fd() const override { return epoll_fd_; }
  absl::Status Dispatch(absl::Duration timeout) override;
  absl::Status Run() override;
  void Stop() override;
  bool connected() const override { return greeted_; }

 private:
  void Connect();
  // The connection is gone; the next one is due after a while.
  void Disconnect();
  void OnSocketReady();
  // False: the rest of what was read is of no interest any more.
  bool OnFrame(const v1::AgentFrame& frame);
  void OnHelloOk(const v1::HelloOk& hello_ok);
  void OnDelivery(const v1::Delivery& delivery);
  void OnGap(const v1::Gap& gap);
  bool OnError(const v1::Error& error);
  void AckSoon(uint64_t delivery_id);
  void SendAcks();
  void SendWishes();
  void WatchSocket(int operation);

  const ClientOptions options_;
  const ClientCallbacks callbacks_;
  absl::BitGen random_;
  Backoff backoff_;

  int epoll_fd_ = -1;
  int timer_fd_ = -1;
  int stop_fd_ = -1;
  std::atomic<bool> stopped_{false};
  // Why this client is at its end. OK: it is not.
  absl::Status end_;

  AgentSocket socket_;
  // The agent has answered Hello.
  bool greeted_ = false;
  bool wants_registration_ = false;
  bool wants_unregistration_ = false;
  std::string token_;
  HandledDeliveries handled_;
  std::vector<uint64_t> acks_;
};

ClientImpl::~ClientImpl() {
  for (int fd : {epoll_fd_, timer_fd_, stop_fd_}) {
    if (fd >= 0) close(fd);
  }
}

absl::Status ClientImpl::Init() {
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  timer_fd_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  stop_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (epoll_fd_ < 0 || timer_fd_ < 0 || stop_fd_ < 0) {
    return absl::ResourceExhaustedError(absl::StrCat("no descriptor left: ", strerror(errno)));
  }
  for (int fd : {timer_fd_, stop_fd_}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) {
      return absl::ResourceExhaustedError(absl::StrCat("epoll: ", strerror(errno)));
    }
  }
  Connect();
  return absl::OkStatus();
}

// --- The app's wishes. ---

void ClientImpl::Register() {
  wants_registration_ = true;
  wants_unregistration_ = false;
  if (greeted_) SendWishes();
}

void ClientImpl::Unregister() {
  wants_registration_ = false;
  wants_unregistration_ = true;
  if (greeted_) SendWishes();
}

void ClientImpl::Ack(const std::vector<uint64_t>& delivery_ids) {
  for (const uint64_t id : delivery_ids) AckSoon(id);
  SendAcks();
}

absl::Status ClientImpl::Dispatch(absl::Duration timeout) {
  if (!end_.ok()) return end_;
  // Rounded up: never back early with nothing done, spinning.
  const int timeout_ms =
      timeout >= absl::Hours(24)
          ? (timeout == absl::InfiniteDuration() ? -1 : 24 * 3600 * 1000)
          : static_cast<int>(absl::ToInt64Milliseconds(
                absl::Ceil(std::max(timeout, absl::ZeroDuration()), absl::Milliseconds(1))));
  epoll_event events[3];
  const int n = epoll_wait(epoll_fd_, events, 3, timeout_ms);
  if (stopped_) return absl::CancelledError("stopped");
  for (int i = 0; i < n && end_.ok(); ++i) {
    if (events[i].data.fd == timer_fd_) {
      uint64_t expirations;
      if (read(timer_fd_, &expirations, sizeof(expirations)) > 0) Connect();
    } else if (socket_.connected() && events[i].data.fd == socket_.fd()) {
      OnSocketReady();
    }
  }
  return end_;
}

absl::Status ClientImpl::Run() {
  for (;;) {
    if (absl::Status s = Dispatch(absl::InfiniteDuration()); !s.ok()) {
      return absl::IsCancelled(s) ? absl::OkStatus() : s;
    }
  }
}

void ClientImpl::Stop() {
  stopped_ = true;
  const uint64_t one = 1;
  // Fails only if it is signalled already.
  [[maybe_unused]] const ssize_t n = write(stop_fd_, &one, sizeof(one));
}

// --- The connection. ---

void ClientImpl::Connect() {
  if (absl::Status s = socket_.Connect(options_.socket_path); !s.ok()) return Disconnect();
  v1::AppFrame frame;
  frame.mutable_hello()->set_app_id(options_.app_id);
  frame.mutable_hello()->set_client_version(options_.client_version);
  socket_.Send(frame);
  WatchSocket(EPOLL_CTL_ADD);
}

void ClientImpl::Disconnect() {
  socket_.Close();  // Which also takes it out of the epoll set.
  acks_.clear();  // They mean nothing to the next connection, which is given these messages again.
  const absl::Duration wait = std::max(backoff_.Next(), absl::Milliseconds(1));
  itimerspec when{};
  when.it_value = absl::ToTimespec(wait);
  timerfd_settime(timer_fd_, 0, &when, nullptr);
  if (std::exchange(greeted_, false) && callbacks_.on_connection) callbacks_.on_connection(false);
}

void ClientImpl::WatchSocket(int operation) {
  epoll_event event{};
  event.events = EPOLLIN | (socket_.wants_to_write() ? static_cast<uint32_t>(EPOLLOUT) : 0u);
  event.data.fd = socket_.fd();
  epoll_ctl(epoll_fd_, operation, socket_.fd(), &event);
}

void ClientImpl::OnSocketReady() {
  socket_.Flush();
  const absl::Status status =
      socket_.Receive([this](const v1::AgentFrame& frame) { return OnFrame(frame); });
  if (!end_.ok()) {
    socket_.Close();
    if (std::exchange(greeted_, false) && callbacks_.on_connection) callbacks_.on_connection(false);
    return;
  }
  if (!status.ok()) return Disconnect();
  SendAcks();
  WatchSocket(EPOLL_CTL_MOD);
}

bool ClientImpl::OnFrame(const v1::AgentFrame& frame) {
  using Frame = v1::AgentFrame;
  switch (frame.body_case()) {
    case Frame::kHelloOk:
      OnHelloOk(frame.hello_ok());
      return true;
    case Frame::kRegistered:
      // On every connection, but news only if it is another one.
      if (token_ != frame.registered().token()) {
        token_ = frame.registered().token();
        if (callbacks_.on_token) callbacks_.on_token(token_);
      }
      return true;
    case Frame::kUnregistered:
      wants_unregistration_ = false;
      token_.clear();
      if (callbacks_.on_unregistered) callbacks_.on_unregistered();
      return true;
    case Frame::kDelivery:
      OnDelivery(frame.delivery());
      return true;
    case Frame::kGap:
      OnGap(frame.gap());
      return true;
    case Frame::kError:
      return OnError(frame.error());
    case Frame::kActivitySet:
    case Frame::kNetworkSet:
    case Frame::kStatus:
    case Frame::BODY_NOT_SET:  // From a later agent.
      return true;
  }
  return true;
}

void ClientImpl::OnHelloOk(const v1::HelloOk& hello_ok) {
  greeted_ = true;
  backoff_.Reset();
  handled_.Enter(hello_ok.inbox_id());
  SendWishes();
  if (callbacks_.on_connection) callbacks_.on_connection(true);
}

void ClientImpl::OnDelivery(const v1::Delivery& delivery) {
  if (handled_.Give(delivery.delivery_id(), delivery.message_id())) {
    return AckSoon(delivery.delivery_id());
  }
  if (!callbacks_.on_message) return;
  Message message;
  message.delivery_id = delivery.delivery_id();
  message.message_id = delivery.message_id();
  message.payload = delivery.payload();
  message.accepted_at = absl::FromUnixMillis(delivery.accepted_at_ms());
  message.redelivered = delivery.redelivered();
  if (callbacks_.on_message(message)) AckSoon(message.delivery_id);
}

void ClientImpl::OnGap(const v1::Gap& gap) {
  if (!handled_.Give(gap.delivery_id(), "") && callbacks_.on_gap) callbacks_.on_gap(gap.dropped());
  if (stopped_) return;
  AckSoon(gap.delivery_id());
}

bool ClientImpl::OnError(const v1::Error& error) {
  switch (error.code()) {
    case v1::Error::SESSION_REPLACED:
      end_ = MakeError(absl::StatusCode::kFailedPrecondition, "SESSION_REPLACED", error.message());
      break;
    case v1::Error::PERMISSION_DENIED:
      end_ = MakeError(absl::StatusCode::kFailedPrecondition, "PERMISSION_DENIED", error.message());
      break;
    default:
      break;
  }
  if (callbacks_.on_error) callbacks_.on_error(error.code(), error.message());
  return end_.ok();
}

void ClientImpl::AckSoon(uint64_t delivery_id) {
  handled_.Handle(delivery_id);
  acks_.push_back(delivery_id);
}

void ClientImpl::SendAcks() {
  if (!greeted_) return acks_.clear();
  for (size_t i = 0; i < acks_.size(); i += kMaxAppAcksPerFrame) {
    v1::AppFrame frame;
    const size_t end = std::min(acks_.size(), i + kMaxAppAcksPerFrame);
    frame.mutable_ack()->mutable_delivery_ids()->Add(acks_.begin() + static_cast<ptrdiff_t>(i),
                                                     acks_.begin() + static_cast<ptrdiff_t>(end));
    socket_.Send(frame);
  }
  acks_.clear();
  if (socket_.wants_to_write()) WatchSocket(EPOLL_CTL_MOD);
}

void ClientImpl::SendWishes() {
  v1::AppFrame frame;
  if (wants_unregistration_) {
    frame.mutable_unregister();
  } else if (wants_registration_) {
    frame.mutable_register_();
  } else {
    return;
  }
  socket_.Send(frame);
  if (socket_.wants_to_write()) WatchSocket(EPOLL_CTL_MOD);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Create(const ClientOptions& options,
                                                       ClientCallbacks callbacks) {
  if (!IsValidAppId(options.app_id)) {
    return absl::InvalidArgumentError(
        absl::StrCat("an app id is a reverse domain name such as com.example.mail, not \"",
                     options.app_id, "\""));
  }
  if (absl::Status s = CheckSocketPath(options.socket_path); !s.ok()) return s;
  auto client = std::make_unique<ClientImpl>(options, std::move(callbacks));
  if (absl::Status s = client->Init(); !s.ok()) return s;
  return client;
}

}  // namespace bellwire::agent
