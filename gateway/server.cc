#include "gateway/server.h"

#include <algorithm>
#include <utility>

#include "absl/base/call_once.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "gateway/admin/admin_credential.h"
#include "gateway/admin/admin_service.h"
#include "gateway/auth/authenticator.h"
#include "gateway/auth/key_cache.h"
#include "gateway/doors/grpc/drain_signal.h"
#include "gateway/doors/grpc/push_service.h"
#include "gateway/doors/grpc/reflection.h"
#include "gateway/doors/grpc/reflection_service.h"
#include "gateway/send/ack_wait.h"
#include "gateway/send/send_engine.h"
#include "grpc/support/time.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "rpc/credentials.h"
#include "rpc/port_acceptor.h"

namespace bellwire::gateway {
namespace {

constexpr int kSecondMs = 1000;

// A switch of the whole process in gRPC, for servers built afterwards.
void EnableHealth() {
  static absl::once_flag once;
  absl::call_once(once, [] { grpc::EnableDefaultHealthCheckService(true); });
}

void SetBounds(grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(kMaxProviderRequestBytes);
  builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxProviderMetadataBytes);
  // A client that opens and resets streams as fast as it can (HTTP/2 rapid reset) keeps no more
  // than these alive.
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxProviderCallsPerConnection);
  builder->AddChannelArgument(
      GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
      static_cast<int>(absl::ToInt64Milliseconds(kProviderHandshakeTimeout)));
  builder->SetResourceQuota(grpc::ResourceQuota("provider_port").Resize(kMaxProviderMemoryBytes));

  // Finds dead providers, and keeps the NAT entries of living ones that pause between two sends.
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 120 * kSecondMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20 * kSecondMs);
  // Providers may do the same; faster than this is abuse, and answered GOAWAY (too_many_pings).
  // gRPC's default of 5 min would punish the keepalives that client guides recommend.
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                              static_cast<int>(absl::ToInt64Milliseconds(kMinProviderPing)));
  // Half a MiB inflates to 512 before anybody looks at its size. Payloads are small or encrypted:
  // compression has nothing to give here, and a call that uses it is refused before it is inflated.
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
}

class GatewayServerImpl final : public GatewayServer {
 public:
  explicit GatewayServerImpl(Options options)
      : keys_(options.registry, options.clock),
        authenticator_(&keys_, options.clock),
        engine_({.sealer = options.sealer,
                 .registry = options.registry,
                 .connectors = options.connectors,
                 .clock = options.clock,
                 .now_or_never_wait = options.now_or_never_wait,
                 .wait_for_ack =
                     [this](ConnectorApi* connector, internal::v1::ConnectorRequest request,
                            absl::Duration wait, absl::AnyInvocable<void(bool) &&> done) {
                       ack_waits_.Wait(connector, std::move(request), wait, std::move(done));
                     }}),
        push_({.authenticator = &authenticator_,
               .engine = &engine_,
               .drain = &drain_,
               .sealer = options.sealer,
               .registry = options.registry,
               .connectors = options.connectors,
               .clock = options.clock}),
        admin_credential_(options.admin_token, options.clock),
        admin_(&admin_credential_, &drain_, options.registry, options.clock),
        reflection_({push::v1::PushService::service_full_name(), "grpc.health.v1.Health",
                     grpc::reflection::v1alpha::ServerReflection::service_full_name()},
                    {admin::v1::AdminService::service_full_name()}),
        reflection_service_(&reflection_, &admin_credential_, &drain_) {}

  ~GatewayServerImpl() override {
    Drain(absl::ZeroDuration());
    // What registry and connectors still owe to calls that were answered without them.
    drain_.AwaitNoHold();
  }

  absl::Status Listen(const std::string& listen,
                      const std::shared_ptr<grpc::ServerCredentials>& credentials) {
    BELLWIRE_ASSIGN_OR_RETURN(acceptor_, PortAcceptor::Listen(listen));
    EnableHealth();
    grpc::ServerBuilder builder;
    SetBounds(&builder);
    connections_ = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, credentials);
    builder.RegisterService(&push_);
    builder.RegisterService(&admin_);
    builder.RegisterService(&reflection_service_);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) {
      return MakeError(absl::StatusCode::kUnavailable, "CANNOT_LISTEN",
                       absl::StrCat("Can't serve on ", listen, "."));
    }
    address_ = acceptor_->address();
    acceptor_->Start([this](int fd) {
      grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
      connection.listener_fd = acceptor_->fd();
      connection.fd = fd;
      connections_->HandleNewConnection(&connection);
    });
    LogInfo("gateway_listening", {{"address", address_}});
    return absl::OkStatus();
  }

  const std::string& address() const override { return address_; }
  bool Responds(absl::Duration patience) override { return acceptor_->Responds(patience); }

  void Drain(absl::Duration grace) override {
    absl::call_once(drained_, [this, grace] {
      if (server_ == nullptr) return;
      LogInfo("gateway_draining", {{"address", address_}});
      acceptor_->Stop();
      if (auto* health = server_->GetHealthCheckService()) health->Shutdown();
      drain_.Begin();
      // Calls that come from now on are refused here, with a reason. gRPC would cancel them without
      // one: it hears of the drain when no call is left.
      if (!drain_.AwaitNone(std::max(grace - kDrainResolveTime, absl::ZeroDuration()))) {
        ack_waits_.EndAll();
        drain_.AwaitNone(std::min(grace, kDrainResolveTime));
        drain_.End();
        drain_.AwaitNone(kDrainFlushTime);
      }
      server_->Shutdown(gpr_now(GPR_CLOCK_MONOTONIC));
      server_->Wait();
    });
  }

 private:
  KeyCache keys_;
  Authenticator authenticator_;
  AckWaits ack_waits_;
  SendEngine engine_;
  DrainSignal drain_;
  PushService push_;
  AdminCredential admin_credential_;
  AdminService admin_;
  const Reflection reflection_;
  ReflectionService reflection_service_;
  std::string address_;
  absl::once_flag drained_;
  std::unique_ptr<PortAcceptor> acceptor_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> connections_;
  // Last: its calls use all of the above, and it is gone first.
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<GatewayServer>> GatewayServer::Start(Options options) {
  if (options.admin_token.empty()) {
    return MakeError(absl::StatusCode::kInvalidArgument, "EMPTY_ADMIN_TOKEN",
                     "The admin token is empty: anybody could administer the server.");
  }
  absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> credentials =
      ServerTlsCredentials(options.certificate_path, options.key_path);
  if (!credentials.ok()) return credentials.status();
  const std::string listen = options.listen;
  auto server = std::make_unique<GatewayServerImpl>(std::move(options));
  if (absl::Status status = server->Listen(listen, *credentials); !status.ok()) return status;
  return server;
}

}  // namespace bellwire::gateway
