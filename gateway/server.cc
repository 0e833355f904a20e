#include "gateway/server.h"

#include <utility>

#include "absl/base/call_once.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/host_port.h"
#include "common/log.h"
#include "gateway/admin/admin_service.h"
#include "gateway/auth/authenticator.h"
#include "gateway/auth/key_cache.h"
#include "gateway/doors/grpc/drain_signal.h"
#include "gateway/doors/grpc/push_service.h"
#include "gateway/send/send_engine.h"
#include "grpc/support/time.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "rpc/credentials.h"

namespace bellwire::gateway {
namespace {

constexpr int kSecondMs = 1000;

// Both are switches of the whole process in gRPC, for servers built afterwards.
void EnableHealthAndReflection() {
  static absl::once_flag once;
  absl::call_once(once, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
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
  // gRPC's default of 5 min would punish the keepalive of 30 s that client guides recommend.
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                              20 * kSecondMs);
  // A second gateway on the same port by mistake must fail, not take half of the connections.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
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
                 .now_or_never_wait = options.now_or_never_wait}),
        push_({.authenticator = &authenticator_,
               .engine = &engine_,
               .drain = &drain_,
               .sealer = options.sealer,
               .registry = options.registry,
               .connectors = options.connectors,
               .clock = options.clock}),
        admin_(std::move(options.admin_token), options.registry, options.clock) {}

  ~GatewayServerImpl() override { Drain(absl::ZeroDuration()); }

  absl::Status Listen(const std::string& listen,
                      const std::shared_ptr<grpc::ServerCredentials>& credentials) {
    const absl::StatusOr<HostPort> parts = ParseHostPort(listen);
    if (!parts.ok()) return parts.status();
    EnableHealthAndReflection();
    grpc::ServerBuilder builder;
    SetBounds(&builder);
    int port = 0;
    builder.AddListeningPort(listen, credentials, &port);
    builder.RegisterService(&push_);
    builder.RegisterService(&admin_);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port == 0) {
      return MakeError(
          absl::StatusCode::kUnavailable, "CANT_LISTEN",
          absl::StrCat("Can't listen on ", listen,
                       ": another process may have the port, or the host is not of this machine."));
    }
    address_ = absl::StrCat(listen.substr(0, listen.rfind(':')), ":", port);
    LogInfo("gateway_listening", {{"address", address_}});
    return absl::OkStatus();
  }

  const std::string& address() const override { return address_; }

  void Drain(absl::Duration grace) override {
    absl::call_once(drained_, [this, grace] {
      if (server_ == nullptr) return;
      LogInfo("gateway_draining", {{"address", address_}});
      if (auto* health = server_->GetHealthCheckService()) health->Shutdown();
      drain_.Begin();
      // Both saturate: an infinite grace stays one.
      server_->Shutdown(
          gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                       gpr_time_from_nanos(absl::ToInt64Nanoseconds(grace), GPR_TIMESPAN)));
      server_->Wait();
    });
  }

 private:
  KeyCache keys_;
  Authenticator authenticator_;
  SendEngine engine_;
  DrainSignal drain_;
  PushService push_;
  AdminService admin_;
  std::string address_;
  absl::once_flag drained_;
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
