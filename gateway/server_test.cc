#include "gateway/server.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "common/error.h"
#include "common/limits.h"
#include "gateway/testing/test_gateway.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/byte_buffer.h"
#include "gtest/gtest.h"
#include "rpc/credentials.h"
#include "rpc/grpc_status.h"

namespace bellwire::gateway {
namespace {

// One request and one response as raw bytes: the standard services have no C++ stubs on Debian.
// Does for a bidirectional method as well, which can't tell.
grpc::Status CallRaw(
    const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
    absl::string_view request, std::string* response,
    std::unique_ptr<grpc::ClientContext> context = std::make_unique<grpc::ClientContext>()) {
  grpc::GenericStub stub(channel);
  const grpc::Slice slice(request.data(), request.size());
  const grpc::ByteBuffer request_buffer(&slice, 1);
  grpc::ByteBuffer response_buffer;
  grpc::Status status;
  absl::Notification done;
  stub.UnaryCall(context.get(), method, {}, &request_buffer, &response_buffer, [&](grpc::Status s) {
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

GatewayServer::Options OptionsOf(TestGateway& gateway) {
  GatewayServer::Options options;
  options.listen = "127.0.0.1:0";
  options.certificate_path = gateway.pki.dir() + "/server.pem";
  options.key_path = gateway.pki.dir() + "/server.key";
  options.admin_token = "admin";
  options.sealer = gateway.sealer.get();
  options.mailboxes = &gateway.registry;
  options.catalogue = &gateway.registry;
  options.keys = &gateway.registry;
  options.feeds = &gateway.registry;
  options.store = &gateway.registry;
  options.devices = &gateway.registry;
  options.topics = &gateway.registry;
  options.fan_outs.at_once = 0;
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
  for (const char* service : {"bellwire.push.v1.PushService", "grpc.health.v1.Health"}) {
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
  options.admin_token = "";
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

TEST(GatewayServerTest, PublicPortsServeEverythingButAdministration) {
  constexpr char kCheck[] = "/grpc.health.v1.Health/Check";
  constexpr char kSend[] = "/bellwire.push.v1.PushService/Send";
  constexpr char kListTeams[] = "/bellwire.admin.v1.AdminService/ListTeams";
  constexpr char kReflect[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  TestGateway gateway;
  GatewayServer::Options options = OptionsOf(gateway);
  options.admin_token = TestGateway::kAdminToken;
  options.https_listen = "127.0.0.1:0";
  options.http_listen = "127.0.0.1:0";
  auto server = GatewayServer::Start(options);
  ASSERT_TRUE(server.ok()) << server.status();
  const auto credentials = ClientTlsCredentials(gateway.pki.dir() + "/ca.pem");
  ASSERT_TRUE(credentials.ok());
  const auto https = grpc::CreateChannel((*server)->https_address(), *credentials);
  // HTTP/2 with prior knowledge.
  const auto http =
      grpc::CreateChannel((*server)->http_address(), grpc::InsecureChannelCredentials());
  const auto provider = grpc::CreateChannel((*server)->address(), *credentials);
  std::string response;
  EXPECT_TRUE(CallRaw(provider, kListTeams, "", &response, gateway.AdminContext()).error_code() !=
              grpc::StatusCode::UNIMPLEMENTED);
  for (const auto& channel : {https, http}) {
    EXPECT_TRUE(CallRaw(channel, kCheck, "", &response).ok());
    EXPECT_EQ(CallRaw(channel, kSend, "", &response).error_code(),
              grpc::StatusCode::UNAUTHENTICATED);
    EXPECT_EQ(CallRaw(channel, kListTeams, "", &response, gateway.AdminContext()).error_code(),
              grpc::StatusCode::UNIMPLEMENTED);
    ASSERT_TRUE(CallRaw(channel, kReflect, "\x3a\x01*", &response, gateway.AdminContext()).ok());
    EXPECT_TRUE(absl::StrContains(response, "PushService"));
    EXPECT_FALSE(absl::StrContains(response, "AdminService"));
  }
}

TEST(GatewayServerTest, AdministratorsMayHaveAPortOfTheirOwn) {
  constexpr char kCheck[] = "/grpc.health.v1.Health/Check";
  constexpr char kSend[] = "/bellwire.push.v1.PushService/Send";
  constexpr char kListTeams[] = "/bellwire.admin.v1.AdminService/ListTeams";
  constexpr char kReflect[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  TestGateway gateway;
  gateway.registry.list_teams = [](const admin::v1::ListTeamsRequest&) {
    return absl::StatusOr<admin::v1::ListTeamsResponse>(admin::v1::ListTeamsResponse());
  };
  GatewayServer::Options options = OptionsOf(gateway);
  options.admin_token = TestGateway::kAdminToken;
  options.http_listen = "127.0.0.1:0";
  options.admin_listen = "127.0.0.1:0";
  auto server = GatewayServer::Start(options);
  ASSERT_TRUE(server.ok()) << server.status();
  ASSERT_NE((*server)->admin_address(), (*server)->address());
  const auto credentials = ClientTlsCredentials(gateway.pki.dir() + "/ca.pem");
  ASSERT_TRUE(credentials.ok());
  const auto admin = grpc::CreateChannel((*server)->admin_address(), *credentials);
  const auto provider = grpc::CreateChannel((*server)->address(), *credentials);
  std::string response;
  EXPECT_TRUE(CallRaw(admin, kCheck, "", &response).ok());
  EXPECT_TRUE(CallRaw(admin, kListTeams, "", &response, gateway.AdminContext()).ok());
  EXPECT_EQ(CallRaw(admin, kListTeams, "", &response).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(CallRaw(admin, kSend, "", &response, gateway.Context()).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(CallRaw(provider, kListTeams, "", &response, gateway.AdminContext()).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(CallRaw(provider, kSend, "", &response).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  ASSERT_TRUE(CallRaw(provider, kReflect, "\x3a\x01*", &response, gateway.AdminContext()).ok());
  EXPECT_FALSE(absl::StrContains(response, "AdminService"));
  EXPECT_TRUE((*server)->ReloadCertificate().ok());
  EXPECT_TRUE(CallRaw(grpc::CreateChannel((*server)->admin_address(), *credentials), kCheck, "",
                      &response)
                  .ok());
}

TEST(GatewayServerTest, DoorsAreSwitchedOff) {
  TestGateway gateway;
  GatewayServer::Options options = OptionsOf(gateway);
  options.http_listen = "127.0.0.1:0";
  options.doors_off = {"grpc"};
  auto server = GatewayServer::Start(options);
  ASSERT_TRUE(server.ok()) << server.status();
  const std::vector<std::string> open = (*server)->open_doors();
  EXPECT_EQ(open.size() + 1, GatewayServer::KnownDoors().size());
  EXPECT_EQ(std::find(open.begin(), open.end(), "grpc"), open.end());
  std::string response;
  const auto http =
      grpc::CreateChannel((*server)->http_address(), grpc::InsecureChannelCredentials());
  EXPECT_EQ(CallRaw(http, "/grpc.health.v1.Health/Check", "", &response).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);  // What gRPC makes of 404.

  options.doors_off = {"grcp"};
  EXPECT_EQ(ErrorReason(GatewayServer::Start(options).status()), "UNKNOWN_DOOR");
}

TEST(GatewayServerTest, ClearTextStaysOnTheMachine) {
  TestGateway gateway;
  GatewayServer::Options options = OptionsOf(gateway);
  for (const char* address : {"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "push.example.com:80"}) {
    options.http_listen = address;
    EXPECT_EQ(ErrorReason(GatewayServer::Start(options).status()), "NOT_LOOPBACK") << address;
  }
  options.http_listen = gateway.pki.dir() + "/http.sock";
  EXPECT_EQ(ErrorReason(GatewayServer::Start(options).status()), "BAD_ADDRESS");
  // The path of a socket is short.
  std::string directory = "/tmp/bellwire-XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  options.http_listen = absl::StrCat("unix:", directory, "/http.sock");
  auto server = GatewayServer::Start(options);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ((*server)->http_address(), options.http_listen);
  const auto http = grpc::CreateChannel(options.http_listen, grpc::InsecureChannelCredentials());
  std::string response;
  EXPECT_TRUE(CallRaw(http, "/grpc.health.v1.Health/Check", "", &response).ok());
  server->reset();
  EXPECT_TRUE(std::filesystem::remove(directory)) << "the socket's file goes with the server";
}

TEST(GatewayServerTest, ABadHttpsCertificateKeepsTheOldOne) {
  TestGateway gateway;
  GatewayServer::Options options = OptionsOf(gateway);
  options.https_listen = "127.0.0.1:0";
  options.https_certificate_path = gateway.pki.dir() + "/https.pem";
  options.https_key_path = gateway.pki.dir() + "/server.key";
  EXPECT_FALSE(GatewayServer::Start(options).ok());
  std::filesystem::copy(options.certificate_path, options.https_certificate_path);
  auto server = GatewayServer::Start(options);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_TRUE((*server)->ReloadHttpsCertificate().ok());
  std::ofstream(options.https_certificate_path) << "no certificate";
  EXPECT_FALSE((*server)->ReloadHttpsCertificate().ok());
  const auto channel = grpc::CreateChannel((*server)->https_address(),
                                           *ClientTlsCredentials(gateway.pki.dir() + "/ca.pem"));
  std::string response;
  EXPECT_TRUE(CallRaw(channel, "/grpc.health.v1.Health/Check", "", &response).ok());
}

TEST(GatewayServerTest, SaysThatTheHttpsCertificateHasEnded) {
  TestGateway gateway;
  GatewayServer::Options options = OptionsOf(gateway);
  options.https_listen = "127.0.0.1:0";
  options.https_certificate_path = options.certificate_path;
  options.https_key_path = options.key_path;
  testing::internal::CaptureStderr();
  auto server = GatewayServer::Start(options);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_FALSE(
      absl::StrContains(testing::internal::GetCapturedStderr(), "https_certificate_expires"));
  gateway.clock.Advance(absl::Hours(24 * 365 * 100));
  testing::internal::CaptureStderr();
  EXPECT_TRUE((*server)->ReloadHttpsCertificate().ok());
  EXPECT_TRUE(
      absl::StrContains(testing::internal::GetCapturedStderr(), "https_certificate_expires"));
}

TEST(GatewayServerTest, ATakenPortIsAnError) {
  TestGateway gateway;
  GatewayServer::Options options = OptionsOf(gateway);
  options.listen = gateway.server->address();
  const absl::Status status = GatewayServer::Start(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(ErrorReason(status), "CANNOT_LISTEN");
}

TEST(GatewayServerTest, RefusesOversizedRequests) {
  TestGateway gateway;
  std::string response;
  const std::string request(kMaxProviderRequestBytes + 1, 'x');
  EXPECT_EQ(CallRaw(gateway.NewChannel(), "/bellwire.push.v1.PushService/Send", request, &response,
                    gateway.Context())
                .error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  // Without a credential nobody looks at the message.
  EXPECT_EQ(CallRaw(gateway.NewChannel(), "/bellwire.push.v1.PushService/Send", request, &response)
                .error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
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

// A provider that retries UNAVAILABLE loses nothing.
void ExpectShuttingDown(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(ErrorReason(status), "SHUTTING_DOWN") << status;
}

// The client was told to go elsewhere (GOAWAY), and nobody else is there: what it retries.
void ExpectUnavailable(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
}

TEST(GatewayServerTest, CallsThatComeWhileItDrainsAreUnavailable) {
  TestGateway gateway;
  push::v1::SendResponse response;
  ASSERT_TRUE(gateway.Send(gateway.Message(), &response).ok());
  // A stream that is there when the drain begins hears of it.
  const auto open_context = gateway.Context();
  const auto open_stream = gateway.push()->SendStream(open_context.get());
  push::v1::SendStreamRequest message;
  *message.mutable_request() = gateway.Message();
  push::v1::SendStreamResponse result;
  ASSERT_TRUE(open_stream->Write(message));
  ASSERT_TRUE(open_stream->Read(&result));
  gateway.registry.HoldAnswers();
  absl::Status status;
  std::thread sender([&] {
    push::v1::SendResponse held;
    status = gateway.Send(gateway.Message(), &held);
  });
  gateway.registry.WaitForHeld(1);
  std::thread drain([&] { gateway.server->Drain(absl::InfiniteDuration()); });
  EXPECT_FALSE(open_stream->Read(&result));
  ExpectShuttingDown(FromGrpcStatus(open_stream->Finish()));

  // Calls that the notice and they pass on the way are served, or told; the others find nobody.
  const auto context = gateway.Context();
  const auto stream = gateway.push()->SendStream(context.get());
  EXPECT_FALSE(stream->Read(&result));
  ExpectUnavailable(FromGrpcStatus(stream->Finish()));
  gateway.registry.ReleaseAnswers();
  sender.join();
  drain.join();
  EXPECT_TRUE(status.ok()) << status;
  ExpectUnavailable(gateway.Send(gateway.Message(), &response));
  admin::v1::ListTeamsResponse teams;
  ExpectUnavailable(
      FromGrpcStatus(gateway.admin()->ListTeams(gateway.AdminContext().get(), {}, &teams)));
}

TEST(GatewayServerTest, WhatIsUnansweredWhenADrainIsOverHearsWhy) {
  TestGateway gateway;
  push::v1::SendResponse response;
  ASSERT_TRUE(gateway.Send(gateway.Message(), &response).ok());
  gateway.registry.HoldAnswers();
  absl::Status send, batch, stream, admin;
  std::thread sender([&] { send = gateway.Send(gateway.Message(), &response); });
  std::thread batcher([&] {
    push::v1::SendBatchRequest request;
    *request.add_requests() = gateway.Message();
    push::v1::SendBatchResponse results;
    batch = FromGrpcStatus(gateway.push()->SendBatch(gateway.Context().get(), request, &results));
  });
  std::thread streamer([&] {
    const auto context = gateway.Context();
    const auto call = gateway.push()->SendStream(context.get());
    push::v1::SendStreamRequest request;
    *request.mutable_request() = gateway.Message();
    call->Write(request);
    push::v1::SendStreamResponse result;
    EXPECT_FALSE(call->Read(&result));
    stream = FromGrpcStatus(call->Finish());
  });
  std::thread administrator([&] {
    admin::v1::ListTeamsResponse teams;
    admin = FromGrpcStatus(gateway.admin()->ListTeams(gateway.AdminContext().get(), {}, &teams));
  });
  gateway.registry.WaitForHeld(4);
  gateway.server->Drain(absl::Milliseconds(10));
  for (std::thread* thread : {&sender, &batcher, &streamer, &administrator}) thread->join();
  for (const absl::Status& status : {send, batch, stream, admin}) ExpectShuttingDown(status);
  // Late answers find nobody, and everything still there.
  gateway.registry.ReleaseAnswers();
}

TEST(GatewayServerTest, ATtlZeroSendDoesNotOutlastADrain) {
  TestGateway gateway;
  push::v1::SendResponse response;
  // After it the sender's key is known.
  ASSERT_TRUE(gateway.Send(gateway.Message(), &response).ok());
  gateway.registry.append = [](const internal::v1::AppendRequest& append) {
    EXPECT_NE(append.waiter(), 0u);
    internal::v1::AppendResponse appended;
    appended.set_state(push::v1::NOT_CONNECTED);
    return appended;
  };
  gateway.registry.HoldAnswers();  // Until EndWaits.
  absl::Status status;
  std::thread sender([&] {
    push::v1::SendRequest request = gateway.Message();
    request.mutable_ttl();
    status = gateway.Send(request, &response);
  });
  gateway.registry.WaitForHeld(1);
  gateway.server->Drain(absl::Milliseconds(100));
  sender.join();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(response.outcome(), push::v1::SendResponse::NOT_CONNECTED);
}

TEST(GatewayServerTest, TakesCompressedRequests) {
  TestGateway gateway;
  for (const grpc_compression_algorithm algorithm : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
    const auto context = gateway.Context();
    context->set_compression_algorithm(algorithm);
    push::v1::SendRequest request = gateway.Message();
    request.set_payload(std::string(kMaxPayloadBytes, 'x'));
    push::v1::SendResponse response;
    const absl::Status status =
        FromGrpcStatus(gateway.push()->Send(context.get(), request, &response));
    EXPECT_TRUE(status.ok()) << status;
  }
}

TEST(GatewayServerTest, DrainsOnce) {
  TestGateway gateway;
  gateway.server->Drain(absl::Seconds(1));
  gateway.server->Drain(absl::Seconds(1));
}

}  // namespace
}  // namespace bellwire::gateway
