#include "gateway/server.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "absl/base/call_once.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/host_port.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "crypto/certificates.h"
#include "crypto/file_util.h"
#include "gateway/admin/admin_credential.h"
#include "gateway/admin/admin_gate.h"
#include "gateway/admin/admin_service.h"
#include "gateway/admin/audit_log.h"
#include "gateway/admin/support_service.h"
#include "gateway/auth/authenticator.h"
#include "gateway/auth/key_cache.h"
#include "gateway/call/method_table.h"
#include "gateway/doors/apns/apns_door.h"
#include "gateway/doors/console/console_door.h"
#include "gateway/doors/fcm/fcm_credential.h"
#include "gateway/doors/fcm/fcm_door.h"
#include "gateway/doors/fcm/token_door.h"
#include "gateway/doors/fcm/topic_door.h"
#include "gateway/doors/front_page/front_page.h"
#include "gateway/doors/grpc/drain_signal.h"
#include "gateway/doors/grpc/grpc_door.h"
#include "gateway/doors/grpc/health_service.h"
#include "gateway/doors/grpc/push_service.h"
#include "gateway/doors/grpc/reflection.h"
#include "gateway/doors/grpc/reflection_service.h"
#include "gateway/doors/grpc/topic_service.h"
#include "gateway/doors/http/http_listener.h"
#include "gateway/doors/json/json_door.h"
#include "gateway/doors/matrix/matrix_door.h"
#include "gateway/doors/ntfy/ntfy_door.h"
#include "gateway/doors/webpush/webpush_door.h"
#include "gateway/send/message_calls.h"
#include "gateway/send/send_engine.h"
#include "gateway/topics/fan_out_thread.h"
#include "gateway/topics/topic_engine.h"
#include "net/tls/tls_context.h"
#include "rpc/credentials.h"

namespace bellwire::gateway {
namespace {

constexpr char kPushService[] = "bellwire.push.v1.PushService";
constexpr char kTopicService[] = "bellwire.push.v1.TopicService";
constexpr char kAdminService[] = "bellwire.admin.v1.AdminService";
constexpr char kBackupService[] = "bellwire.admin.v1.BackupService";
constexpr char kSupportService[] = "bellwire.admin.v1.SupportService";
constexpr char kDeviceService[] = "bellwire.admin.v1.DeviceService";
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

// In time to look at what renews the certificate.
constexpr absl::Duration kWarnBeforeHttpsExpiry = absl::Hours(30 * 24);

void WarnOfExpiry(const std::string& certificate_path, absl::Time now) {
  const auto pem = ReadWholeFile(certificate_path);
  if (!pem.ok()) return;
  const auto not_after = CertificateNotAfter(*pem);
  if (!not_after.ok() || *not_after > now + kWarnBeforeHttpsExpiry) return;
  LogWarning("https_certificate_expires",
             {{"file", certificate_path}, {"not_after", absl::FormatTime(*not_after)}});
}

// Doors that can be switched off, and where their requests begin.
struct Door {
  const char* name;
  const char* path;
};
constexpr Door kGrpc = {"grpc", "/bellwire.push.v1.PushService/"};
constexpr Door kJson = {"json", "/v1/messages"};
constexpr Door kWebPush = {"webpush", "/wpush/"};
constexpr Door kApns = {"apns", "/3/device/"};
constexpr Door kFcm = {"fcm", "/v1/projects/"};
constexpr Door kNtfy = {"ntfy", "/ntfy/"};
constexpr Door kMatrix = {"matrix", "/_matrix/push/v1/notify"};
constexpr Door kKnownDoors[] = {kGrpc, kJson, kWebPush, kApns, kFcm, kNtfy, kMatrix};

absl::Status CheckDoors(const std::vector<std::string>& names) {
  const std::vector<std::string> known = GatewayServer::KnownDoors();
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return MakeError(
        absl::StatusCode::kInvalidArgument, "UNKNOWN_DOOR",
        absl::StrCat("there is no door \"", name, "\"; there are ", absl::StrJoin(known, ", ")));
  }
  return absl::OkStatus();
}

// Whether only this machine reaches it.
absl::StatusOr<bool> IsLocal(const std::string& address) {
  if (absl::StartsWith(address, "unix:")) return true;
  BELLWIRE_ASSIGN_OR_RETURN(const HostPort parts, ParseHostPort(address));
  return parts.host == "localhost" || parts.host == "::1" || absl::StartsWith(parts.host, "127.");
}

// What is in clear text stays on this machine.
absl::Status CheckLoopback(const std::string& address) {
  if (address.empty()) return absl::OkStatus();
  BELLWIRE_ASSIGN_OR_RETURN(const bool is_local, IsLocal(address));
  if (is_local) return absl::OkStatus();
  return MakeError(absl::StatusCode::kInvalidArgument, "NOT_LOOPBACK",
                   absl::StrCat("the clear-text port ", address,
                                " would be open to other machines; "
                                "use 127.0.0.1, [::1] or unix:PATH, and a proxy in front"));
}

std::string WithPort(const std::string& listen, uint16_t port) {
  return absl::StrCat(listen.substr(0, listen.rfind(':')), ":", port);
}

absl::Status CheckAdminToken(const std::string& admin_token) {
  if (!admin_token.empty()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kInvalidArgument, "EMPTY_ADMIN_TOKEN",
                   "The admin token is empty: anybody could administer the server.");
}

// Does something again and again on a thread of its own, until it is destroyed.
class Ticker {
 public:
  Ticker(absl::Duration interval, std::function<void()> tick)
      : thread_([this, interval, tick = std::move(tick)] {
          while (!stop_.WaitForNotificationWithTimeout(interval)) tick();
        }) {}
  ~Ticker() {
    stop_.Notify();
    thread_.join();
  }
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

 private:
  absl::Notification stop_;
  std::thread thread_;
};

class GatewayServerImpl final : public GatewayServer {
 public:
  explicit GatewayServerImpl(Options options)
      : options_(options),
        keys_(options.keys, options.clock),
        aliases_(options.keys, options.clock),
        authenticator_(&keys_, options.clock, options.public_urls),
        engine_({.sealer = options.sealer, .mailboxes = options.mailboxes, .clock = options.clock}),
        push_({.authenticator = &authenticator_,
               .engine = &engine_,
               .drain = &drain_,
               .sealer = options.sealer,
               .mailboxes = options.mailboxes,
               .feeds = options.feeds,
               .clock = options.clock}),
        message_calls_(options.sealer, options.mailboxes, engine_.calls(), options.clock),
        webpush_({.engine = &engine_,
                  .calls = &message_calls_,
                  .sealer = options.sealer,
                  .clock = options.clock,
                  .urls = options.public_urls}),
        topic_engine_({.sealer = options.sealer,
                       .topics = options.topics,
                       .calls = engine_.calls(),
                       .clock = options.clock}),
        topics_(&authenticator_, &topic_engine_),
        apns_tokens_(options.clock),
        apns_(&authenticator_, &engine_, options.sealer, &topic_engine_, &apns_tokens_,
              options.clock),
        admin_credential_(options.admin_token, options.clock, options.administrators_path),
        audit_(options.audit_path, options.clock),
        admin_gate_(&admin_credential_, &audit_, options.catalogue, options.keys),
        admin_(&admin_gate_, options.catalogue, options.keys, options.store, options.devices,
               options.sealer, options.clock, options.public_urls),
        support_({.gate = &admin_gate_,
                  .engine = &engine_,
                  .topics = &topic_engine_,
                  .drain = &drain_,
                  .sealer = options.sealer,
                  .mailboxes = options.mailboxes,
                  .feeds = options.feeds,
                  .clock = options.clock}),
        reflection_({kPushService, kTopicService, kHealth, kReflection},
                    {kAdminService, kBackupService, kSupportService, kDeviceService}),
        reflection_service_(&reflection_, &admin_credential_, &drain_),
        admin_reflection_({kHealth, kReflection},
                          {kAdminService, kBackupService, kSupportService, kDeviceService}),
        admin_reflection_service_(&admin_reflection_, &admin_credential_, &drain_),
        public_reflection_({kPushService, kTopicService, kHealth, kReflection}, {}),
        public_reflection_service_(&public_reflection_, &admin_credential_, &drain_),
        health_({kPushService, kTopicService, kAdminService, kBackupService, kSupportService,
                 kDeviceService}),
        public_health_({kPushService, kTopicService}),
        admin_health_({kAdminService, kBackupService, kSupportService, kDeviceService}),
        front_page_(OpenDoors()),
        admin_front_page_(std::vector<FrontPage::OpenDoor>()) {
    push_.AddTo(&methods_);
    topics_.AddTo(&methods_);
    admin_.AddTo(&methods_);
    support_.AddTo(&methods_);
    health_.AddTo(&methods_);
    reflection_service_.AddTo(&methods_);
    admin_.AddTo(&admin_methods_);
    support_.AddTo(&admin_methods_);
    admin_health_.AddTo(&admin_methods_);
    admin_reflection_service_.AddTo(&admin_methods_);
    push_.AddTo(&public_methods_);
    topics_.AddTo(&public_methods_);
    public_health_.AddTo(&public_methods_);
    public_reflection_service_.AddTo(&public_methods_);
  }

  ~GatewayServerImpl() override {
    rechecks_.reset();
    DrainAfter(absl::ZeroDuration(), absl::ZeroDuration());
    listener_.reset();
    // What the registry still owes to calls that were answered without it.
    door_.AwaitNoCalls();
    public_door_.AwaitNoCalls();
    admin_door_.AwaitNoCalls();
    json_door_.AwaitNoCalls();
    ntfy_door_.AwaitNoCalls();
    matrix_door_.AwaitNoCalls();
    console_.reset();
  }

  absl::Status Listen() {
    http::HttpListener::Options listener;
    BELLWIRE_ASSIGN_OR_RETURN(std::shared_ptr<net::TlsServerContext> tls,
                              ReadTls(options_.certificate_path, options_.key_path));
    // What the provider port is for can't be switched off.
    std::vector<http::Door*> doors = {options_.admin_listen.empty() ? &door_ : &public_door_};
    AddDoors(&doors);
    listener.ports.push_back({.address = options_.listen,
                              .tls = std::move(tls),
                              .doors = std::move(doors),
                              .trusted_proxies = options_.trusted_proxies,
                              .proxy_protocol_from = options_.proxy_protocol_from});
    std::vector<http::Door*> public_doors;
    if (IsOpen(kGrpc)) public_doors.push_back(&public_door_);
    AddDoors(&public_doors);
    if (!options_.https_listen.empty()) {
      BELLWIRE_ASSIGN_OR_RETURN(tls, ReadHttpsTls());
      listener.ports.push_back({.address = options_.https_listen,
                                .tls = std::move(tls),
                                .doors = public_doors,
                                .trusted_proxies = options_.trusted_proxies,
                                .proxy_protocol_from = options_.proxy_protocol_from});
    }
    if (!options_.http_listen.empty()) {
      listener.ports.push_back({.address = options_.http_listen,
                                .doors = public_doors,
                                .trusted_proxies = options_.trusted_proxies});
    }
    if (!options_.console_listen.empty()) {
      BELLWIRE_ASSIGN_OR_RETURN(http::HttpListener::Port console, ConsolePort());
      listener.ports.push_back(std::move(console));
    }
    if (!options_.admin_listen.empty()) {
      BELLWIRE_ASSIGN_OR_RETURN(tls, ReadTls(options_.certificate_path, options_.key_path));
      admin_port_ = listener.ports.size();
      listener.ports.push_back({.address = options_.admin_listen,
                                .tls = std::move(tls),
                                .doors = {&admin_door_, &admin_front_page_},
                                .trusted_proxies = options_.trusted_proxies,
                                .proxy_protocol_from = options_.proxy_protocol_from});
    }
    for (const http::HttpListener::Port& port : listener.ports) {
      for (const http::Door* door : port.doors) {
        for (const http::Route& route : door->Routes()) {
          routes_.insert(absl::StrCat(route.method, " ", route.path));
        }
      }
    }
    BELLWIRE_ASSIGN_OR_RETURN(listener_, http::HttpListener::Start(std::move(listener)));
    size_t index = 0;
    address_ = WithPort(options_.listen, listener_->port(index++));
    if (!options_.https_listen.empty()) {
      https_address_ = WithPort(options_.https_listen, listener_->port(index++));
    }
    if (!options_.http_listen.empty()) {
      const uint16_t port = listener_->port(index++);
      http_address_ = port == 0 ? options_.http_listen : WithPort(options_.http_listen, port);
    }
    if (!options_.console_listen.empty()) {
      console_port_ = index;
      const uint16_t port = listener_->port(index);
      console_address_ =
          port == 0 ? options_.console_listen : WithPort(options_.console_listen, port);
    }
    if (admin_port_.has_value()) {
      admin_address_ = WithPort(options_.admin_listen, listener_->port(*admin_port_));
    }
    if (options_.fan_outs.at_once > 0) {
      fan_outs_ =
          std::make_unique<FanOutThread>(FanOutThread::Options{.topics = options_.topics,
                                                               .mailboxes = options_.mailboxes,
                                                               .clock = options_.clock,
                                                               .settings = options_.fan_outs});
    }
    if (options_.recheck_interval > absl::ZeroDuration()) {
      rechecks_ = std::make_unique<Ticker>(options_.recheck_interval, [this] { RecheckStreams(); });
    }
    LogInfo("gateway_listening", {{"address", address_},
                                  {"https_address", https_address_},
                                  {"http_address", http_address_},
                                  {"console_address", console_address_},
                                  {"admin_address", admin_address_},
                                  {"doors", absl::StrJoin(open_doors(), ",")}});
    return absl::OkStatus();
  }

  const std::string& address() const override { return address_; }
  const std::string& https_address() const override { return https_address_; }
  const std::string& http_address() const override { return http_address_; }
  const std::string& console_address() const override { return console_address_; }
  const std::string& admin_address() const override { return admin_address_; }
  std::vector<std::string> open_doors() const override {
    std::vector<std::string> names;
    for (const FrontPage::OpenDoor& door : OpenDoors()) names.push_back(door.name);
    return names;
  }
  std::vector<std::string> routes() const override { return {routes_.begin(), routes_.end()}; }
  bool Responds(absl::Duration patience) override {
    return listener_->Responds(patience) &&
           (fan_outs_ == nullptr || fan_outs_->Responds(patience));
  }
  void Report(metrics::Samples* samples) override {
    engine_.Report(samples);
    listener_->Report(samples);
  }
  absl::Status ReloadCertificate() override {
    BELLWIRE_ASSIGN_OR_RETURN(std::shared_ptr<net::TlsServerContext> tls,
                              ReadTls(options_.certificate_path, options_.key_path));
    listener_->UseTls(kProviderPort, tls);
    if (!admin_port_.has_value()) return absl::OkStatus();
    // A context of its own, as each port has.
    BELLWIRE_ASSIGN_OR_RETURN(tls, ReadTls(options_.certificate_path, options_.key_path));
    listener_->UseTls(*admin_port_, std::move(tls));
    return absl::OkStatus();
  }
  absl::Status ReloadHttpsCertificate() override {
    if (options_.https_listen.empty() && !console_has_tls_) return absl::OkStatus();
    BELLWIRE_ASSIGN_OR_RETURN(std::shared_ptr<net::TlsServerContext> tls, ReadHttpsTls());
    if (console_has_tls_) listener_->UseTls(console_port_, tls);
    if (!options_.https_listen.empty()) listener_->UseTls(kHttpsPort, std::move(tls));
    return absl::OkStatus();
  }
  void SetStoreOk(bool ok) override {
    health_.SetStoreOk(ok);
    public_health_.SetStoreOk(ok);
    admin_health_.SetStoreOk(ok);
    front_page_.SetStoreOk(ok);
    admin_front_page_.SetStoreOk(ok);
  }
  absl::Status SetAdminToken(std::string admin_token) override {
    if (absl::Status status = CheckAdminToken(admin_token); !status.ok()) return status;
    admin_credential_.Set(admin_token);
    return absl::OkStatus();
  }

  void RecheckStreams() override { drain_.Recheck(); }

  void Drain(absl::Duration grace) override { DrainAfter(options_.drain_notice, grace); }

 private:
  // Of the listener.
  static constexpr size_t kProviderPort = 0;
  static constexpr size_t kHttpsPort = 1;

  void DrainAfter(absl::Duration notice, absl::Duration grace) {
    absl::call_once(drained_, [this, notice, grace] {
      if (listener_ == nullptr) return;
      LogInfo("gateway_draining", {{"address", address_}});
      health_.SetNotServing();
      public_health_.SetNotServing();
      admin_health_.SetNotServing();
      front_page_.SetDraining();
      admin_front_page_.SetDraining();
      absl::SleepFor(notice);
      drain_.Begin();
      if (console_ != nullptr) console_->Drain();
      listener_->BeginDrain();
      // So that others can go on with them.
      if (fan_outs_ != nullptr) fan_outs_->Drain(std::min(grace, kDrainResolveTime));
      if (listener_->AwaitNoConnection(std::max(grace - kDrainResolveTime, absl::ZeroDuration()))) {
        return;
      }
      engine_.EndWaits();
      if (listener_->AwaitNoConnection(std::min(grace, kDrainResolveTime))) return;
      listener_->EndExchanges();
      listener_->AwaitNoConnection(kDrainFlushTime);
    });
  }

  bool IsOpen(const Door& door) const {
    const std::vector<std::string>& off = options_.doors_off;
    return std::find(off.begin(), off.end(), door.name) == off.end();
  }
  std::vector<FrontPage::OpenDoor> OpenDoors() const {
    std::vector<FrontPage::OpenDoor> open;
    for (const Door& door : kKnownDoors) {
      if (IsOpen(door)) open.push_back({door.name, door.path});
    }
    return open;
  }
  // Those beside gRPC, as far as they are open. The front page comes last: it takes everything.
  void AddDoors(std::vector<http::Door*>* doors) {
    if (IsOpen(kJson)) doors->push_back(&json_door_);
    if (IsOpen(kNtfy)) doors->push_back(&ntfy_door_);
    if (IsOpen(kMatrix)) doors->push_back(&matrix_door_);
    if (IsOpen(kWebPush)) doors->push_back(&webpush_);
    if (IsOpen(kApns)) doors->push_back(&apns_);
    if (IsOpen(kFcm)) {
      doors->push_back(&fcm_tokens_);
      // Before the one that takes what is left of a project.
      doors->push_back(&fcm_topics_);
      doors->push_back(&fcm_);
    }
    doors->push_back(&front_page_);
  }
  absl::StatusOr<http::HttpListener::Port> ConsolePort() {
    BELLWIRE_ASSIGN_OR_RETURN(const bool is_local, IsLocal(options_.console_listen));
    http::HttpListener::Port port = {.address = options_.console_listen,
                                     .trusted_proxies = options_.trusted_proxies};
    if (!is_local) {
      BELLWIRE_ASSIGN_OR_RETURN(port.tls, ReadHttpsTls());
      port.proxy_protocol_from = options_.proxy_protocol_from;
      console_has_tls_ = true;
    }
    console_ = std::make_unique<ConsoleDoor>(
        ConsoleDoor::Environment{.gate = &admin_gate_,
                                 .methods = &methods_,
                                 .metrics = options_.console_metrics.get(),
                                 .fleet = options_.console_fleet,
                                 .clock = options_.clock,
                                 .secure = console_has_tls_});
    port.doors = {console_.get()};
    return port;
  }
  absl::StatusOr<std::shared_ptr<net::TlsServerContext>> ReadHttpsTls() const {
    if (options_.https_certificate_path.empty()) {
      return ReadTls(options_.certificate_path, options_.key_path);
    }
    auto tls = ReadTls(options_.https_certificate_path, options_.https_key_path);
    if (tls.ok()) WarnOfExpiry(options_.https_certificate_path, options_.clock->WallNow());
    return tls;
  }

  const Options options_;
  KeyCache keys_;
  KeyCache aliases_;
  Authenticator authenticator_;
  SendEngine engine_;
  DrainSignal drain_;
  PushService push_;
  const MessageCalls message_calls_;
  webpush::WebPushDoor webpush_;
  TopicEngine topic_engine_;
  TopicService topics_;
  apns::ProviderTokens apns_tokens_;
  apns::ApnsDoor apns_;
  fcm::FcmCredentials fcm_credentials_{{.keys = &keys_,
                                        .authenticator = &authenticator_,
                                        .sealer = options_.sealer,
                                        .clock = options_.clock,
                                        .public_urls = options_.public_urls}};
  fcm::TokenDoor fcm_tokens_{&fcm_credentials_};
  fcm::TopicDoor fcm_topics_{&fcm_credentials_, &topic_engine_};
  fcm::FcmDoor fcm_{{.credentials = &fcm_credentials_,
                     .engine = &engine_,
                     .topics = &topic_engine_,
                     .sealer = options_.sealer,
                     .clock = options_.clock}};
  AdminCredential admin_credential_;
  AuditLog audit_;
  AdminGate admin_gate_;
  AdminService admin_;
  SupportService support_;
  const Reflection reflection_;
  ReflectionService reflection_service_;
  // Where nothing else is.
  const Reflection admin_reflection_;
  ReflectionService admin_reflection_service_;
  // Where AdminService isn't served.
  const Reflection public_reflection_;
  ReflectionService public_reflection_service_;
  HealthService health_;
  HealthService public_health_;
  HealthService admin_health_;
  MethodTable methods_;
  MethodTable public_methods_;
  MethodTable admin_methods_;
  GrpcDoor door_{&methods_};
  GrpcDoor public_door_{&public_methods_};
  GrpcDoor admin_door_{&admin_methods_};
  JsonDoor json_door_{&public_methods_};
  NtfyDoor ntfy_door_{{.authenticator = &authenticator_,
                       .aliases = &aliases_,
                       .engine = &engine_,
                       .clock = options_.clock}};
  MatrixDoor matrix_door_{&engine_, options_.public_urls};
  FrontPage front_page_;
  // Of the port for administrators: that it is ready, and nothing else.
  FrontPage admin_front_page_;
  std::string address_;
  std::string https_address_;
  std::string http_address_;
  std::string console_address_;
  // Null: there is none. Of the listener, its port.
  std::unique_ptr<ConsoleDoor> console_;
  size_t console_port_ = 0;
  bool console_has_tls_ = false;
  std::string admin_address_;
  std::set<std::string> routes_;
  // Of the listener, if there is one for administrators alone.
  std::optional<size_t> admin_port_;
  absl::once_flag drained_;
  std::unique_ptr<FanOutThread> fan_outs_;
  std::unique_ptr<Ticker> rechecks_;
  // Last: its calls use all of the above.
  std::unique_ptr<http::HttpListener> listener_;
};

}  // namespace

std::vector<std::string> GatewayServer::KnownDoors() {
  std::vector<std::string> names;
  for (const Door& door : kKnownDoors) names.push_back(door.name);
  return names;
}

absl::StatusOr<std::unique_ptr<GatewayServer>> GatewayServer::Start(Options options) {
  if (options.admin_token.has_value()) {
    BELLWIRE_RETURN_IF_ERROR(CheckAdminToken(*options.admin_token));
  }
  BELLWIRE_RETURN_IF_ERROR(CheckDoors(options.doors_off));
  BELLWIRE_RETURN_IF_ERROR(CheckLoopback(options.http_listen));
  auto server = std::make_unique<GatewayServerImpl>(std::move(options));
  BELLWIRE_RETURN_IF_ERROR(server->Listen());
  return server;
}

}  // namespace bellwire::gateway
