#include "gateway/server.h"

#include <algorithm>
#include <utility>

#include "absl/base/call_once.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "gateway/admin/admin_credential.h"
#include "gateway/admin/admin_service.h"
#include "gateway/auth/authenticator.h"
#include "gateway/auth/key_cache.h"
#include "gateway/call/method_table.h"
#include "gateway/doors/grpc/drain_signal.h"
#include "gateway/doors/grpc/grpc_door.h"
#include "gateway/doors/grpc/health_service.h"
#include "gateway/doors/grpc/push_service.h"
#include "gateway/doors/grpc/reflection.h"
#include "gateway/doors/grpc/reflection_service.h"
#include "gateway/doors/http/http_listener.h"
#include "gateway/send/ack_wait.h"
#include "gateway/send/send_engine.h"
#include "net/tls/tls_context.h"
#include "rpc/credentials.h"

namespace bellwire::gateway {
namespace {

constexpr char kPushService[] = "bellwire.push.v1.PushService";
constexpr char kAdminService[] = "bellwire.admin.v1.AdminService";
constexpr char kHealth[] = "grpc.health.v1.Health";
constexpr char kReflection[] = "grpc.reflection.v1alpha.ServerReflection";

absl::StatusOr<std::shared_ptr<net::TlsServerContext>> ReadTls(const std::string& certificate_path,
                                                               const std::string& key_path) {
  BELLWIRE_ASSIGN_OR_RETURN(TlsKeyPair pair, ReadTlsKeyPair(certificate_path, key_path));
  return net::TlsServerContext::Create({.certificate_pem = std::move(pair.certificate_pem),
                                        .private_key_pem = std::move(pair.key_pem),
                                        .clock = RealClock(),
                                        .audience = net::TlsAudience::kWeb});
}

absl::Status CheckAdminToken(const std::string& admin_token) {
  if (!admin_token.empty()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kInvalidArgument, "EMPTY_ADMIN_TOKEN",
                   "The admin token is empty: anybody could administer the server.");
}

class GatewayServerImpl final : public GatewayServer {
 public:
  explicit GatewayServerImpl(Options options)
      : certificate_path_(options.certificate_path),
        key_path_(options.key_path),
        keys_(options.registry, options.clock),
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
        admin_(&admin_credential_, options.registry, options.clock),
        reflection_({kPushService, kHealth, kReflection}, {kAdminService}),
        reflection_service_(&reflection_, &admin_credential_, &drain_) {
    push_.AddTo(&methods_);
    admin_.AddTo(&methods_);
    health_.AddTo(&methods_);
    reflection_service_.AddTo(&methods_);
  }

  ~GatewayServerImpl() override {
    Drain(absl::ZeroDuration());
    listener_.reset();
    // What registry and connectors still owe to calls that were answered without them.
    door_.AwaitNoCalls();
  }

  absl::Status Listen(const std::string& listen, std::shared_ptr<net::TlsServerContext> tls) {
    BELLWIRE_ASSIGN_OR_RETURN(
        listener_,
        http::HttpListener::Start({.address = listen, .tls = std::move(tls), .doors = {&door_}}));
    address_ = absl::StrCat(listen.substr(0, listen.rfind(':')), ":", listener_->port());
    LogInfo("gateway_listening", {{"address", address_}});
    return absl::OkStatus();
  }

  const std::string& address() const override { return address_; }
  bool Responds(absl::Duration patience) override { return listener_->Responds(patience); }
  absl::Status ReloadCertificate() override {
    BELLWIRE_ASSIGN_OR_RETURN(std::shared_ptr<net::TlsServerContext> tls,
                              ReadTls(certificate_path_, key_path_));
    listener_->UseTls(std::move(tls));
    return absl::OkStatus();
  }
  absl::Status SetAdminToken(std::string admin_token) override {
    if (absl::Status status = CheckAdminToken(admin_token); !status.ok()) return status;
    admin_credential_.Set(admin_token);
    return absl::OkStatus();
  }

  void Drain(absl::Duration grace) override {
    absl::call_once(drained_, [this, grace] {
      if (listener_ == nullptr) return;
      LogInfo("gateway_draining", {{"address", address_}});
      health_.SetNotServing();
      drain_.Begin();
      listener_->BeginDrain();
      if (listener_->AwaitNoConnection(std::max(grace - kDrainResolveTime, absl::ZeroDuration()))) {
        return;
      }
      ack_waits_.EndAll();
      if (listener_->AwaitNoConnection(std::min(grace, kDrainResolveTime))) return;
      listener_->EndExchanges();
      listener_->AwaitNoConnection(kDrainFlushTime);
    });
  }

 private:
  const std::string certificate_path_;
  const std::string key_path_;
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
  HealthService health_;
  MethodTable methods_;
  GrpcDoor door_{&methods_};
  std::string address_;
  absl::once_flag drained_;
  // Last: its calls use all of the above.
  std::unique_ptr<http::HttpListener> listener_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<GatewayServer>> GatewayServer::Start(Options options) {
  if (absl::Status status = CheckAdminToken(options.admin_token); !status.ok()) return status;
  BELLWIRE_ASSIGN_OR_RETURN(std::shared_ptr<net::TlsServerContext> tls,
                            ReadTls(options.certificate_path, options.key_path));
  const std::string listen = options.listen;
  auto server = std::make_unique<GatewayServerImpl>(std::move(options));
  BELLWIRE_RETURN_IF_ERROR(server->Listen(listen, std::move(tls)));
  return server;
}

}  // namespace bellwire::gateway
