#include "connector/shard/shard.h"

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/random/random.h"
#include "absl/synchronization/notification.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/log.h"
#include "connector/session/session_id.h"
#include "connector/shard/catch_up_plan.h"
#include "connector/shard/connection_log.h"
#include "connector/shard/drain_plan.h"
#include "connector/shard/login_admission.h"
#include "connector/shard/registry_calls.h"
#include "connector/shard/shard_inbox.h"
#include "connector/shard/socket_connection.h"
#include "net/loop/epoll_loop.h"
#include "net/tls/handshake_queue.h"
#include "net/tls/tls_server.h"

namespace bellwire::connector {

namespace {

using internal::v1::ConnectorRequest;
using internal::v1::ConnectorResponse;

// How often a drain sends the next agents away.
constexpr absl::Duration kDrainStep = absl::Milliseconds(10);
// A wake of the inbox that the loop's queue refused is made up for after so long.
constexpr absl::Duration kInboxTick = absl::Seconds(1);

class ShardImpl final : public Shard, public SocketConnection::Owner {
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
        inbox_(std::make_shared<ShardInbox>(
            [this, queue = loop_.post_queue()] { return queue->Post([this] { DrainInbox(); }); })),
        registry_(environment->sessions, environment->networks, environment->topics,
                  environment->evictor, inbox_,
                  [this](uint64_t session_id) { return Find(session_id); }),
        session_ids_(index),
        log_(environment->clock),
        handshakes_(&loop_, ThreadCpuTime),
        flush_(&loop_, [this](uint32_t) { Flush(); }),
        inbox_tick_(loop_.NewTimer([this] { OnInboxTick(); })),
        drain_timer_(loop_.NewTimer([this] { DrainStep(); })),
        catch_up_timer_(loop_.NewTimer([this] { CatchUpStep(); })) {}

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
         .make_room = [this] { return EndOne(logins_.Dispensable(Now())); },
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
    inbox_->AddAnswer([this] {
      ShutDown();
      loop_.Stop();
    });
    if (thread_.joinable()) thread_.join();
    inbox_->Close();
  }

  void Submit(ConnectorRequest request, ConnectorApi::ExchangeDone done) override {
    inbox_->AddRequest({std::move(request), std::move(done)});
  }

  void CatchUp() override {
    inbox_->AddAnswer([this] {
      catch_up_.NoteLoss(environment_->clock->Monotonic(), random_);
      ArmCatchUp();
    });
  }

  void SetTls(std::shared_ptr<net::TlsServerContext> tls) override {
    inbox_->AddAnswer([this, tls = std::move(tls)] {
      // Null: it drains.
      if (listener_ != nullptr) listener_->SetContext(tls);
    });
  }

  void StartDrain(absl::Duration time) override {
    inbox_->AddAnswer([this, time] { BeginDrain(time); });
  }

  bool WaitDrained(absl::Duration time) override {
    return drained_.WaitForNotificationWithTimeout(std::max(time, absl::ZeroDuration()));
  }

  bool Responds(absl::Duration patience) override {
    // Shared: the answer may come when nobody waits any more.
    const auto gone_round = std::make_shared<absl::Notification>();
    inbox_->AddAnswer([gone_round] { gone_round->Notify(); });
    return gone_round->WaitForNotificationWithTimeout(patience);
  }

  // --- SocketConnection::Owner ---

  void Remove(SocketConnection* connection) override {
    const auto it = connections_.find(connection->core().session_id());
    loop_.DeleteLater(std::move(it->second));
    connections_.erase(it);
    CheckDrained();
  }

  void FlushSoon(uint64_t session_id) override {
    if (to_flush_.empty()) flush_.Wake();
    to_flush_.push_back(session_id);
  }

 private:
  MonotonicTime Now() const { return environment_->clock->Monotonic(); }

  void OnAccept(std::unique_ptr<net::Stream> stream, const net::Arrival& arrival) {
    if (connections_.size() >= environment_->max_connections_per_shard) {
      if (log_.MayTellOfStranger(ConnectionLog::kTooMany)) {
        LogWarning("connection_refused", {{"peer", stream->peer_name()},
                                          {"reason", ConnectionLog::kTooMany},
                                          {"shard", index_}});
      }
      return;
    }
    const uint64_t session_id = session_ids_.Next();
    connections_.emplace(session_id, std::make_unique<SocketConnection>(
                                         &shared_, session_id, std::move(stream), arrival));
  }

  bool MayStartLogin() {
    while (EndOne(logins_.Overdue(Now()))) {
    }
    return logins_.HasRoom(handshakes_.size(), Now());
  }

  // Ends that connection, which makes room for others. False if there is none.
  bool EndOne(std::optional<uint64_t> session_id) {
    if (!session_id.has_value()) return false;
    Find(*session_id)->OnLoginOverdue();
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

  DeviceConnection* Find(uint64_t session_id) {
    const auto it = connections_.find(session_id);
    return it == connections_.end() ? nullptr : &it->second->core();
  }

  void Flush() {
    std::vector<uint64_t> ids;
    ids.swap(to_flush_);
    for (const uint64_t id : ids) {
      if (DeviceConnection* connection = Find(id)) connection->OnFlush();
    }
  }

  void DrainInbox() {
    ShardInbox::Batch batch = inbox_->Take();
    for (ShardInbox::Answer& answer : batch.answers) std::move(answer)();
    for (ShardInbox::Request& request : batch.requests) {
      Handle(std::move(request.request), std::move(request.done));
    }
    for (const auto& [session_id, seq] : batch.missed) {
      if (DeviceConnection* connection = Find(session_id)) connection->NoteMissedDelivery(seq);
    }
    CheckDrained();
  }

  void OnInboxTick() {
    DrainInbox();
    TellOfConnections();
    inbox_tick_->Arm(kInboxTick);
  }

  void Handle(ConnectorRequest request, ConnectorApi::ExchangeDone done) {
    DeviceConnection* connection = Find(request.route().session_id());
    const bool has_session =
        connection != nullptr && connection->device_id().bytes() == request.device_id();
    if (request.has_deliver()) environment_->counters.OnHandOver(has_session);
    if (!has_session) {
      return std::move(done)(ConnectorResponse::NO_SESSION);
    }
    switch (request.body_case()) {
      case ConnectorRequest::kDeliver:
        handshakes_.GiveWay();
        return connection->Deliver(std::move(*request.mutable_deliver()), std::move(done));
      case ConnectorRequest::kEvict:
        return std::move(done)(connection->Evict(request.evict()));
      case ConnectorRequest::kRecall:
        return std::move(done)(connection->Recall(request.recall()));
      case ConnectorRequest::kMissed:
        connection->NoteMissedDelivery(request.missed().seq());
        return std::move(done)(ConnectorResponse::TAKEN);
      case ConnectorRequest::BODY_NOT_SET:
        // Of a later version: nothing that this session could do.
        return std::move(done)(ConnectorResponse::NO_SESSION);
    }
  }

  void CatchUpStep() {
    const auto every_session = [this] {
      std::vector<uint64_t> ids;
      ids.reserve(connections_.size());
      for (const auto& [session_id, connection] : connections_) ids.push_back(session_id);
      return ids;
    };
    for (const uint64_t id : catch_up_.Step(environment_->clock->Monotonic(), every_session)) {
      if (DeviceConnection* connection = Find(id)) connection->CatchUp();
    }
    ArmCatchUp();
  }

  void ArmCatchUp() {
    if (!catch_up_.next().has_value()) return;
    catch_up_timer_->Arm(
        std::max(absl::ZeroDuration(), *catch_up_.next() - environment_->clock->Monotonic()));
  }

  void BeginDrain(absl::Duration time) {
    listener_.reset();
    draining_since_ = environment_->clock->Monotonic();
    to_drain_.reserve(connections_.size());
    for (const auto& [session_id, connection] : connections_) to_drain_.push_back(session_id);
    drain_plan_.emplace(to_drain_.size(), time);
    DrainStep();
  }

  void DrainStep() {
    const size_t due = drain_plan_->DueAfter(environment_->clock->Monotonic() - draining_since_);
    for (; sent_away_ < due; ++sent_away_) {
      if (DeviceConnection* connection = Find(to_drain_[sent_away_])) connection->Drain();
    }
    if (sent_away_ < to_drain_.size()) drain_timer_->Arm(kDrainStep);
    CheckDrained();
  }

  void CheckDrained() {
    if (!drain_plan_.has_value() || !connections_.empty() || registry_.in_flight() > 0) return;
    if (!drained_.HasBeenNotified()) drained_.Notify();
  }

  void ShutDown() {
    listener_.reset();
    std::vector<uint64_t> ids;
    ids.reserve(connections_.size());
    for (const auto& [session_id, connection] : connections_) ids.push_back(session_id);
    for (const uint64_t id : ids) Find(id)->Shutdown();
  }

  ShardEnvironment* const environment_;
  const int index_;
  net::EpollLoop loop_;
  absl::BitGen random_;
  ConnectionContext context_;
  const std::shared_ptr<ShardInbox> inbox_;
  RegistryCalls registry_;
  SessionIdSource session_ids_;
  LoginAdmission logins_;
  ConnectionLog log_;
  const SocketConnection::Shared shared_{.owner = this,
                                         .environment = environment_,
                                         .context = &context_,
                                         .registry = &registry_,
                                         .logins = &logins_,
                                         .loop = &loop_,
                                         .log = &log_};
  net::HandshakeQueue handshakes_;
  net::FdWatch flush_;
  std::unique_ptr<net::Timer> inbox_tick_;
  std::unique_ptr<net::Timer> drain_timer_;
  CatchUpPlan catch_up_;
  std::unique_ptr<net::Timer> catch_up_timer_;
  std::unique_ptr<net::TlsServer> listener_;
  std::string address_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<SocketConnection>> connections_;
  // Sessions with acknowledgements to hand over at the end of this turn.
  std::vector<uint64_t> to_flush_;

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
