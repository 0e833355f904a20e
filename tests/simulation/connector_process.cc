#include "tests/simulation/connector_process.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "connector/session/session_id.h"
#include "connector/shard/catch_up_plan.h"
#include "connector/shard/registry_calls.h"
#include "connector/shard/service.h"
#include "connector/shard/shard.h"
#include "connector/shard/shard_inbox.h"
#include "connector/shard/socket_connection.h"

namespace bellwire::simulation {

using connector::DeviceConnection;
using connector::ShardInbox;
using connector::SocketConnection;
using internal::v1::ConnectorRequest;
using internal::v1::ConnectorResponse;

// How long it takes to notice that the registry is there again.
constexpr absl::Duration kReconnect = absl::Seconds(2);

// What ShardImpl (connector/shard/shard.cc) is, without a thread, sockets and draining.
struct ConnectorProcess::Life final : connector::ShardPort, SocketConnection::Owner {
  explicit Life(ConnectorProcess* process)
      : process(process),
        incarnation(process->random_()),
        registry_client(
            NewRegistryClient(process->backbone_, process->address_, process->find_registry_)),
        directory(
            NewConnectorClients(process->backbone_, process->address_, process->find_connector_)),
        service(process->address_, incarnation, directory.get()),
        environment{.clock = &process->clock_,
                    .sessions = registry_client.get(),
                    .networks = registry_client.get(),
                    .topics = registry_client.get(),
                    .evictor = &service,
                    .tls = nullptr,
                    .connector_address = process->address_,
                    .connector_incarnation = incarnation,
                    .login_timeout = kLoginTimeout,
                    .max_connections_per_shard = kMaxConnectionsPerShard},
        context{.clock = &process->clock_,
                .random = process->random_,
                .connector_address = process->address_,
                .connector_incarnation = incarnation,
                .login_timeout = kLoginTimeout,
                .bytes_in_flight = &environment.bytes_in_flight},
        drain_timer(process->loop_->NewTimer([this] { DrainInbox(); })),
        flush_timer(process->loop_->NewTimer([this] { Flush(); })),
        catch_up_timer(process->loop_->NewTimer([this] { CatchUpStep(); })),
        watch_timer(process->loop_->NewTimer([this] { WatchRegistry(); })),
        inbox(std::make_shared<ShardInbox>([this] {
          drain_timer->Arm(absl::ZeroDuration());
          return true;
        })),
        calls(registry_client.get(), registry_client.get(), registry_client.get(), &service, inbox,
              [this](uint64_t session_id) { return Find(session_id); }),
        session_ids(0) {
    service.SetShards({this});
    WatchRegistry();
    process->network_->Listen(process->address_, [this](std::unique_ptr<net::Stream> stream) {
      const uint64_t session_id = session_ids.Next();
      connections.emplace(
          session_id, std::make_unique<SocketConnection>(&shared, session_id, std::move(stream)));
    });
  }
  ~Life() override {
    process->network_->StopListening(process->address_);
    inbox->Close();
  }

  // --- connector::ShardPort ---
  void Submit(ConnectorRequest request, ConnectorApi::ExchangeDone done) override {
    inbox->AddRequest({std::move(request), std::move(done)});
  }
  void CatchUp() override {
    catch_up.NoteLoss(process->clock_.Monotonic(), process->random_);
    ArmCatchUp();
  }

  // --- SocketConnection::Owner ---
  void Remove(SocketConnection* connection) override {
    const auto it = connections.find(connection->core().session_id());
    process->loop_->DeleteLater(std::move(it->second));
    connections.erase(it);
  }
  void FlushSoon(uint64_t session_id) override {
    if (to_flush.empty()) flush_timer->Arm(absl::ZeroDuration());
    to_flush.push_back(session_id);
  }

  DeviceConnection* Find(uint64_t session_id) {
    const auto it = connections.find(session_id);
    return it == connections.end() ? nullptr : &it->second->core();
  }
  void Flush() {
    for (const uint64_t id : std::exchange(to_flush, {})) {
      if (DeviceConnection* connection = Find(id)) connection->OnFlush();
    }
  }
  void DrainInbox() {
    ShardInbox::Batch batch = inbox->Take();
    for (ShardInbox::Answer& answer : batch.answers) std::move(answer)();
    for (ShardInbox::Request& request : batch.requests) {
      Handle(std::move(request.request), std::move(request.done));
    }
    for (const auto& [session_id, seq] : batch.missed) {
      if (DeviceConnection* connection = Find(session_id)) connection->NoteMissedDelivery(seq);
    }
  }
  void Handle(ConnectorRequest request, ConnectorApi::ExchangeDone done) {
    DeviceConnection* connection = Find(request.route().session_id());
    if (connection == nullptr || connection->device_id().bytes() != request.device_id()) {
      return std::move(done)(ConnectorResponse::NO_SESSION);
    }
    if (request.has_deliver()) {
      connection->Deliver(std::move(*request.mutable_deliver()), std::move(done));
    } else if (request.has_evict()) {
      std::move(done)(connection->Evict(request.evict()));
    } else if (request.has_missed()) {
      connection->NoteMissedDelivery(request.missed().seq());
      std::move(done)(ConnectorResponse::TAKEN);
    } else {
      std::move(done)(connection->Recall(request.recall()));
    }
  }
  void CatchUpStep() {
    const auto every_session = [this] {
      std::vector<uint64_t> ids;
      for (const auto& [session_id, connection] : connections) ids.push_back(session_id);
      return ids;
    };
    for (const uint64_t id : catch_up.Step(process->clock_.Monotonic(), every_session)) {
      if (DeviceConnection* connection = Find(id)) connection->CatchUp();
    }
    ArmCatchUp();
  }
  void ArmCatchUp() {
    if (!catch_up.next().has_value()) return;
    catch_up_timer->Arm(
        std::max(absl::ZeroDuration(), *catch_up.next() - process->clock_.Monotonic()));
  }

  // What ChannelWatch is (rpc/channel_watch.h), by asking.
  void WatchRegistry() {
    watch_timer->Arm(kReconnect);
    const uint64_t life = process->registry_life_();
    if (life == 0 || life == registry_life) return;
    if (!process->backbone_->Reaches(process->address_, "registry")) return;
    registry_life = life;
    CatchUp();
  }

  ConnectorProcess* const process;
  const uint64_t incarnation;
  const std::unique_ptr<RegistryApi> registry_client;
  const std::unique_ptr<ConnectorDirectory> directory;
  connector::ConnectorService service;
  connector::ShardEnvironment environment;
  connector::ConnectionContext context;
  const std::unique_ptr<net::Timer> drain_timer;
  const std::unique_ptr<net::Timer> flush_timer;
  const std::unique_ptr<net::Timer> catch_up_timer;
  const std::unique_ptr<net::Timer> watch_timer;
  // The one that it is connected to.
  uint64_t registry_life = 0;
  const std::shared_ptr<ShardInbox> inbox;
  connector::RegistryCalls calls;
  connector::SessionIdSource session_ids;
  connector::CatchUpPlan catch_up;
  connector::LoginAdmission logins;
  const SocketConnection::Shared shared{.owner = this,
                                        .environment = &environment,
                                        .context = &context,
                                        .registry = &calls,
                                        .logins = &logins,
                                        .loop = process->loop_};
  std::map<uint64_t, std::unique_ptr<SocketConnection>> connections;
  std::vector<uint64_t> to_flush;
};

ConnectorProcess::ConnectorProcess(net::EventLoop* loop, net::SimulatedNetwork* network,
                                   Backbone* backbone, std::string address, uint64_t seed,
                                   std::function<RegistryApi*()> find_registry,
                                   std::function<uint64_t()> registry_life,
                                   std::function<ConnectorApi*(const std::string&)> find_connector)
    : loop_(loop),
      network_(network),
      backbone_(backbone),
      address_(std::move(address)),
      find_registry_(std::move(find_registry)),
      registry_life_(std::move(registry_life)),
      find_connector_(std::move(find_connector)),
      random_(seed, address_),
      clock_(&loop->clock()) {}

ConnectorProcess::~ConnectorProcess() = default;

void ConnectorProcess::Start() { life_ = std::make_unique<Life>(this); }
void ConnectorProcess::Crash() { life_.reset(); }
ConnectorApi* ConnectorProcess::api() { return life_ == nullptr ? nullptr : &life_->service; }

}  // namespace bellwire::simulation
