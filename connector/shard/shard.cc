#include "connector/shard/shard.h"

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "absl/synchronization/notification.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/log.h"
#include "connector/session/session_id.h"
#include "connector/shard/connection_log.h"
#include "connector/shard/drain_plan.h"
#include "connector/shard/login_admission.h"
#include "connector/shard/shard_sessions.h"
#include "net/loop/epoll_loop.h"
#include "net/tls/handshake_queue.h"
#include "net/tls/tls_server.h"

namespace bellwire::connector {

namespace {

// How often a drain sends the next agents away.
constexpr absl::Duration kDrainStep = absl::Milliseconds(10);
// A wake of the inbox that the loop's queue refused is made up for after so long.
constexpr absl::Duration kInboxTick = absl::Seconds(1);

class ShardImpl final : public Shard {
 public:
  ShardImpl(ShardEnvironment* environment, int index)
      : environment_(environment),
        index_(index),
        loop_(environment->clock),
        context_{.clock = environment->clock,
                 .random = random_,
                 .connector_address = environment->connector_address,
                 .connector_incarnation = environment->connector_incarnation,
                 .login_timeout = environment->login_timeout,
                 .heartbeat_range = environment->heartbeat_range,
                 .bytes_in_flight = &environment->bytes_in_flight,
                 .drain_to = environment->drain_to,
                 .public_url = environment->public_url,
                 .counters = environment->counters.sessions()},
        session_ids_(index),
        log_(environment->clock),
        handshakes_(&loop_, ThreadCpuTime),
        flush_(&loop_, [this](uint32_t) { sessions_.Flush(); }),
        sessions_({.environment = environment,
                   .context = &context_,
                   .loop = &loop_,
                   .wake_inbox =
                       [this, queue = loop_.post_queue()] {
                         return queue->Post([this] { DrainInbox(); });
                       },
                   .wake_flush = [this] { flush_.Wake(); },
                   .on_message = [this] { handshakes_.GiveWay(); },
                   .on_removed = [this] { CheckDrained(); },
                   .log = &log_}),
        inbox_tick_(loop_.NewTimer([this] { OnInboxTick(); })),
        drain_timer_(loop_.NewTimer([this] { DrainStep(); })) {}

  absl::Status ListenOn(absl::string_view address, net::PortShare share) {
    absl::StatusOr<std::unique_ptr<net::TlsServer>> listener = net::TlsServer::Listen(
        &loop_, environment_->tls, address,
        net::TlsServer::OnArrival(
            [this](std::unique_ptr<net::Stream> stream, const net::Arrival& arrival) {
              OnAccept(std::move(stream), arrival);
            }),
        {.share = share,
         .handshakes = &handshakes_,
         .may_start = [this] { return MayStartLogin(); },
         .silent_timeout = environment_->login_timeout,
         .descriptors = environment_->descriptors,
         .make_room = [this] { return EndOne(sessions_.logins()->Dispensable(Now())); },
         .on_lost = [this](net::WaitingRoom::Loss loss) { OnSocketLost(loss); }});
    if (!listener.ok()) return listener.status();
    listener_ = *std::move(listener);
    address_ = listener_->address();
    return absl::OkStatus();
  }

  // --- Shard ---

  const std::string& address() const override { return address_; }

  void Run() override {
    inbox_tick_->Arm(kInboxTick);
    thread_ = std::thread([this] { loop_.Run(); });
  }

  void Stop() override {
    sessions_.inbox()->AddAnswer([this] {
      ShutDown();
      loop_.Stop();
    });
    if (thread_.joinable()) thread_.join();
    sessions_.inbox()->Close();
  }

  bool HandOver(internal::v1::ConnectorRequest request) override {
    return sessions_.HandOver(std::move(request));
  }
  void OnStreamBroken(const Devices& devices) override { sessions_.OnStreamBroken(devices); }
  void OnStreamOpened(const Devices& devices) override { sessions_.OnStreamOpened(devices); }

  void SetTls(std::shared_ptr<net::TlsServerContext> tls) override {
    sessions_.inbox()->AddAnswer([this, tls = std::move(tls)] {
      // Null: it drains.
      if (listener_ != nullptr) listener_->SetContext(tls);
    });
  }

  void StartDrain(absl::Duration time) override {
    sessions_.inbox()->AddAnswer([this, time] { BeginDrain(time); });
  }

  bool WaitDrained(absl::Duration time) override {
    return drained_.WaitForNotificationWithTimeout(std::max(time, absl::ZeroDuration()));
  }

  bool Responds(absl::Duration patience) override {
    // Shared: the answer may come when nobody waits any more.
    const auto gone_round = std::make_shared<absl::Notification>();
    sessions_.inbox()->AddAnswer([gone_round] { gone_round->Notify(); });
    return gone_round->WaitForNotificationWithTimeout(patience);
  }

 private:
  MonotonicTime Now() const { return environment_->clock->Monotonic(); }

  void OnAccept(std::unique_ptr<net::Stream> stream, const net::Arrival& arrival) {
    if (sessions_.size() >= environment_->max_connections_per_shard) {
      if (log_.MayTellOfStranger(ConnectionLog::kTooMany)) {
        LogWarning("connection_refused", {{"peer", stream->peer_name()},
                                          {"reason", ConnectionLog::kTooMany},
                                          {"shard", index_}});
      }
      return;
    }
    sessions_.Accept(session_ids_.Next(), std::move(stream), arrival);
  }

  bool MayStartLogin() {
    while (EndOne(sessions_.logins()->Overdue(Now()))) {
    }
    return sessions_.logins()->HasRoom(handshakes_.size(), Now());
  }

  // Ends that connection, which makes room for others. False if there is none.
  bool EndOne(std::optional<uint64_t> session_id) {
    if (!session_id.has_value()) return false;
    sessions_.Find(*session_id)->OnLoginOverdue();
    return true;
  }

  void OnSocketLost(net::WaitingRoom::Loss loss) {
    switch (loss) {
      case net::WaitingRoom::Loss::kGone:
        return log_.Count(ConnectionLog::kProbe);
      case net::WaitingRoom::Loss::kSilent:
        return log_.Count(ConnectionLog::kSilentSocket);
      case net::WaitingRoom::Loss::kNoRoom:
        return log_.Count(ConnectionLog::kNoRoom);
    }
  }

  void TellOfConnections() {
    const std::optional<std::string> untold = log_.Summary();
    if (!untold.has_value() || untold->empty()) return;
    LogInfo("connections_not_listed", {{"shard", index_},
                                       {"seconds", absl::ToInt64Seconds(kConnectionLogInterval)},
                                       {"counts", *untold}});
  }

  void DrainInbox() {
    sessions_.DrainInbox();
    CheckDrained();
  }

  void OnInboxTick() {
    DrainInbox();
    TellOfConnections();
    inbox_tick_->Arm(kInboxTick);
  }

  void BeginDrain(absl::Duration time) {
    listener_.reset();
    draining_since_ = environment_->clock->Monotonic();
    to_drain_ = sessions_.ids();
    drain_plan_.emplace(to_drain_.size(), time);
    DrainStep();
  }

  void DrainStep() {
    const size_t due = drain_plan_->DueAfter(environment_->clock->Monotonic() - draining_since_);
    for (; sent_away_ < due; ++sent_away_) {
      if (DeviceConnection* connection = sessions_.Find(to_drain_[sent_away_])) connection->Drain();
    }
    if (sent_away_ < to_drain_.size()) drain_timer_->Arm(kDrainStep);
    CheckDrained();
  }

  void CheckDrained() {
    if (!drain_plan_.has_value() || sessions_.size() > 0 || sessions_.calls_in_flight() > 0) return;
    if (!drained_.HasBeenNotified()) drained_.Notify();
  }

  void ShutDown() {
    listener_.reset();
    for (const uint64_t id : sessions_.ids()) sessions_.Find(id)->Shutdown();
  }

  ShardEnvironment* const environment_;
  const int index_;
  net::EpollLoop loop_;
  absl::BitGen random_;
  ConnectionContext context_;
  SessionIdSource session_ids_;
  ConnectionLog log_;
  net::HandshakeQueue handshakes_;
  net::FdWatch flush_;
  ShardSessions sessions_;
  std::unique_ptr<net::Timer> inbox_tick_;
  std::unique_ptr<net::Timer> drain_timer_;
  std::unique_ptr<net::TlsServer> listener_;
  std::string address_;

  // Set while draining.
  std::optional<DrainPlan> drain_plan_;
  MonotonicTime draining_since_;
  std::vector<uint64_t> to_drain_;
  size_t sent_away_ = 0;
  absl::Notification drained_;

  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Shard>> Shard::Listen(ShardEnvironment* environment, int index,
                                                     absl::string_view address) {
  auto shard = std::make_unique<ShardImpl>(environment, index);
  const absl::Status listening =
      shard->ListenOn(address, index == 0 ? net::PortShare::kFirst : net::PortShare::kBeside);
  if (!listening.ok()) return listening;
  return shard;
}

}  // namespace bellwire::connector
