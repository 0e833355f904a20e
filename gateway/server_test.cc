#include "gateway/server.h"

#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "common/error.h"
#include "common/limits.h"
#include "gateway/testing/test_gateway.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/byte_buffer.h"
#include "gtest/gtest.h"
#include "rpc/grpc_status.h"

namespace bellwire::gateway {
namespace {

// One request and one response as raw bytes: the standard services have no C++ stubs on Debian.
// Does for a bidirectional method as well, which can't tell.
grpc::Status CallRaw(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                     absl::string_view request, std::string* response) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  const grpc::Slice slice(request.data(), request.size());
  const grpc::ByteBuffer request_buffer(&slice, 1);
  grpc::ByteBuffer response_buffer;
  grpc::Status status;
  absl::Notification done;
  stub.UnaryCall(&context, method, {}, &request_buffer, &response_buffer, [&](grpc::Status s) {
    status = std::move(s);
    done.Notify();
  });
  done.WaitForNotification();
  grpc::Slice whole;
  if (status.ok() && response_buffer.DumpToSingleSlice(&whole).ok()) {
    response->assign(reinterpret_cast<const char*>(whole.begin()), whole.size());
  }
  return status;
}

GatewayServer::Options OptionsOf(const TestGateway& gateway) {
  GatewayServer::Options options;
  options.listen = "127.0.0.1:0";
  options.certificate_path = gateway.pki.dir() + "/server.pem";
  options.key_path = gateway.pki.dir() + "/server.key";
  options.admin_token = "admin";
  options.sealer = gateway.sealer.get();
  options.registry = const_cast<FakeRegistry*>(&gateway.registry);
  options.connectors = const_cast<FakeConnectors*>(&gateway.connectors);
  options.clock = &gateway.clock;
  return options;
}

TEST(GatewayServerTest, AnswersHealthChecks) {
  TestGateway gateway;
  std::string response;
  const grpc::Status status =
      CallRaw(gateway.NewChannel(), "/grpc.health.v1.Health/Check", "", &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response, "\x08\x01");  // status: SERVING
}

TEST(GatewayServerTest, AnswersReflection) {
  TestGateway gateway;
  std::string response;
  const grpc::Status status = CallRaw(
      gateway.NewChannel(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
      "\x3a\x01*" /* list_services: "*" */, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  for (const char* service : {"bellwire.push.v1.PushService", "bellwire.admin.v1.AdminService",
                              "grpc.health.v1.Health"}) {
    EXPECT_TRUE(absl::StrContains(response, service)) << response;
  }
}

TEST(GatewayServerTest, SpeaksTlsOnly) {
  TestGateway gateway;
  std::string response;
  const auto channel =
      grpc::CreateChannel(gateway.server->address(), grpc::InsecureChannelCredentials());
  EXPECT_EQ(CallRaw(channel, "/grpc.health.v1.Health/Check", "", &response).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST(GatewayServerTest, RefusesToStartWithoutWhatItNeeds) {
  TestGateway gateway;
  GatewayServer::Options options = OptionsOf(gateway);
  options.admin_token.clear();
  EXPECT_EQ(ErrorReason(GatewayServer::Start(options).status()), "EMPTY_ADMIN_TOKEN");
  options = OptionsOf(gateway);
  options.key_path = gateway.pki.dir() + "/none";
  EXPECT_FALSE(GatewayServer::Start(options).ok());
  options = OptionsOf(gateway);
  // gRPC would listen on port 34463 for the last one.
  for (const char* address : {"7443", "127.0.0.1:", "127.0.0.1:99999"}) {
    options.listen = address;
    EXPECT_EQ(ErrorReason(GatewayServer::Start(options).status()), "BAD_ADDRESS") << address;
  }
}

TEST(GatewayServerTest, ATakenPortIsAnError) {
  TestGateway gateway;
  GatewayServer::Options options = OptionsOf(gateway);
  options.listen = gateway.server->address();
  const absl::Status status = GatewayServer::Start(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(ErrorReason(status), "CANT_LISTEN");
}

TEST(GatewayServerTest, RefusesOversizedRequests) {
  TestGateway gateway;
  std::string response;
  const grpc::Status status = CallRaw(gateway.NewChannel(), "/bellwire.push.v1.PushService/Send",
                                      std::string(kMaxProviderRequestBytes + 1, 'x'), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST(GatewayServerTest, ADrainLetsASendFinish) {
  TestGateway gateway;
  push::v1::SendResponse response;
  ASSERT_TRUE(gateway.Send(gateway.Message(), &response).ok());
  gateway.registry.HoldAnswers();
  absl::Status status;
  std::thread sender([&] { status = gateway.Send(gateway.Message(), &response); });
  gateway.registry.WaitForHeld(1);
  std::thread drain([&] { gateway.server->Drain(absl::InfiniteDuration()); });
  gateway.registry.ReleaseAnswers();
  sender.join();
  drain.join();
  EXPECT_TRUE(status.ok()) << status;
  std::string ignored;
  EXPECT_EQ(
      CallRaw(gateway.NewChannel(), "/grpc.health.v1.Health/Check", "", &ignored).error_code(),
      grpc::StatusCode::UNAVAILABLE);
}

TEST(GatewayServerTest, DrainsOnce) {
  TestGateway gateway;
  gateway.server->Drain(absl::Seconds(1));
  gateway.server->Drain(absl::Seconds(1));
}

}  // namespace
}  // namespace bellwire::gateway
