#include "tests/simulation/connector_process.h"

#include <utility>

#include "common/limits.h"
#include "connector/session/session_id.h"
#include "connector/shard/service.h"
#include "connector/shard/shard.h"
#include "connector/shard/shard_sessions.h"

namespace bellwire::simulation {

// What ShardImpl (connector/shard/shard.cc) is, without a thread, sockets and draining.
struct ConnectorProcess::Life {
  explicit Life(ConnectorProcess* process)
      : process(process),
        incarnation(process->random_()),
        registry_client(
            NewRegistryClient(process->backbone_, process->address_, process->find_registry_)),
        stream(NewSessionStream(process->backbone_, process->address_, process->find_port_)),
        service(incarnation),
        environment{.clock = &process->clock_,
                    .sessions = stream.get(),
                    .networks = registry_client.get(),
                    .topics = registry_client.get(),
                    .service = &service,
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
        inbox_timer(process->loop_->NewTimer([this] { sessions.DrainInbox(); })),
        flush_timer(process->loop_->NewTimer([this] { sessions.Flush(); })),
        session_ids(0),
        sessions({.environment = &environment,
                  .context = &context,
                  .loop = process->loop_,
                  .wake_inbox =
                      [this] {
                        inbox_timer->Arm(absl::ZeroDuration());
                        return true;
                      },
                  .wake_flush = [this] { flush_timer->Arm(absl::ZeroDuration()); }}) {
    service.SetShards({&sessions});
    internal::v1::Attach attach;
    attach.set_connector_incarnation(incarnation);
    attach.set_connector_address(process->address_);
    stream->Open(attach, &service);
    process->network_->Listen(process->address_, [this](std::unique_ptr<net::Stream> connection) {
      sessions.Accept(session_ids.Next(), std::move(connection));
    });
  }
  ~Life() {
    process->network_->StopListening(process->address_);
    sessions.inbox()->Close();
  }

  ConnectorProcess* const process;
  const uint64_t incarnation;
  const std::unique_ptr<UnaryRegistryApi> registry_client;
  const std::unique_ptr<SessionStream> stream;
  connector::ConnectorService service;
  connector::ShardEnvironment environment;
  connector::ConnectionContext context;
  const std::unique_ptr<net::Timer> inbox_timer;
  const std::unique_ptr<net::Timer> flush_timer;
  connector::SessionIdSource session_ids;
  connector::ShardSessions sessions;
};

ConnectorProcess::ConnectorProcess(net::EventLoop* loop, net::SimulatedNetwork* network,
                                   Backbone* backbone, std::string address, uint64_t seed,
                                   std::function<RegistryApi*()> find_registry,
                                   std::function<SessionPort*()> find_port)
    : loop_(loop),
      network_(network),
      backbone_(backbone),
      address_(std::move(address)),
      find_registry_(std::move(find_registry)),
      find_port_(std::move(find_port)),
      random_(seed, address_),
      clock_(&loop->clock()) {}

ConnectorProcess::~ConnectorProcess() = default;

void ConnectorProcess::Start() { life_ = std::make_unique<Life>(this); }
void ConnectorProcess::Crash() { life_.reset(); }

}  // namespace bellwire::simulation
