#include "gateway/testing/test_gateway.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/public_urls.h"
#include "grpc/grpc.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"
#include "rpc/credentials.h"
#include "rpc/grpc_status.h"

namespace bellwire::gateway {
namespace {

// gRPC ends its threads in the background once nothing uses it any more. A leak check at the exit
// of the process must not meet them half-way, holding OpenSSL's per-thread state.
class GrpcThreadsEnd final : public ::testing::Environment {
 public:
  void TearDown() override {
    grpc_init();
    grpc_shutdown_blocking();
  }
};

const ::testing::Environment* const kGrpcThreadsEnd =
    ::testing::AddGlobalTestEnvironment(new GrpcThreadsEnd());

}  // namespace

TestGateway::TestGateway() : key(*GenerateProviderKeyPair()), sealer(TokenSealer::ForTesting()) {
  registry.get_key =
      [this](const internal::v1::GetKeyRequest& request) -> absl::StatusOr<admin::v1::Key> {
    if (request.key_id() != kKeyId) {
      return MakeError(absl::StatusCode::kNotFound, "KEY_NOT_FOUND", "no such key");
    }
    admin::v1::Key answer;
    answer.set_key_id(kKeyId);
    answer.set_team_id(kTeam);
    answer.set_public_key_pem(key.public_key_pem);
    if (revoked) answer.mutable_revoke_time()->set_seconds(1);
    return answer;
  };
  registry.append = [seq = 0](const internal::v1::AppendRequest&) mutable
      -> absl::StatusOr<internal::v1::AppendResponse> {
    internal::v1::AppendResponse response;
    response.set_seq(++seq);
    response.set_state(push::v1::STORED);
    return response;
  };
  absl::StatusOr<std::unique_ptr<GatewayServer>> started =
      GatewayServer::Start({.listen = "127.0.0.1:0",
                            .certificate_path = pki.dir() + "/server.pem",
                            .key_path = pki.dir() + "/server.key",
                            .admin_token = kAdminToken,
                            .administrators_path = administrators_path(),
                            .audit_path = audit_path(),
                            .public_urls = *PublicUrls::Parse({"https://push.example.com"}),
                            .sealer = sealer.get(),
                            .mailboxes = &registry,
                            .catalogue = &registry,
                            .keys = &registry,
                            .feeds = &registry,
                            .store = &registry,
                            .topics = &registry,
                            .devices = &registry,
                            .clock = &clock,
                            .fan_outs = {.at_once = 0},
                            .recheck_interval = absl::ZeroDuration()});
  EXPECT_TRUE(started.ok()) << started.status();
  if (!started.ok()) return;
  server = *std::move(started);
  channel_ = NewChannel();
  push_ = push::v1::PushService::NewStub(channel_);
  admin_ = admin::v1::AdminService::NewStub(channel_);
}

std::shared_ptr<grpc::Channel> TestGateway::NewChannel() const {
  const auto credentials = ClientTlsCredentials(pki.dir() + "/ca.pem");
  EXPECT_TRUE(credentials.ok()) << credentials.status();
  return grpc::CreateChannel(server->address(), *credentials);
}

JwtPartsForTesting TestGateway::JwtParts() const {
  JwtPartsForTesting parts;
  parts.key_id = kKeyId;
  parts.team_id = kTeam;
  parts.issued_at = clock.WallNow();
  return parts;
}

std::unique_ptr<grpc::ClientContext> TestGateway::Context() const {
  return ContextWith(SignJwtForTesting(JwtParts(), key.private_key_pem));
}

std::unique_ptr<grpc::ClientContext> TestGateway::ContextWith(const std::string& jwt) const {
  auto context = std::make_unique<grpc::ClientContext>();
  context->AddMetadata("authorization", absl::StrCat("Bearer ", jwt));
  return context;
}

std::unique_ptr<grpc::ClientContext> TestGateway::AdminContext() const {
  return ContextWith(kAdminToken);
}

std::string TestGateway::Token() const {
  TokenContents contents;
  contents.device_id = *DeviceId::FromBytes("0123456789abcdef");
  contents.registration_id = 42;
  return sealer->Seal(contents);
}

push::v1::SendRequest TestGateway::Message() const {
  push::v1::SendRequest request;
  request.set_token(Token());
  request.set_payload("hello");
  return request;
}

absl::Status TestGateway::Send(const push::v1::SendRequest& request,
                               push::v1::SendResponse* response) {
  return FromGrpcStatus(push_->Send(Context().get(), request, response));
}

}  // namespace bellwire::gateway
