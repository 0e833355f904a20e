// Reflection as grpcurl meets it: over gRPC and TLS.

#include "gateway/doors/grpc/reflection_service.h"

#include <memory>
#include <string>
#include <vector>

#include "common/limits.h"
#include "gateway/testing/test_gateway.h"
#include "gmock/gmock.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

using grpc::reflection::v1alpha::ServerReflection;
using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;
using ::testing::Contains;
using ::testing::Not;

class ReflectionServiceTest : public ::testing::Test {
 protected:
  struct Stream {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<
        grpc::ClientReaderWriterInterface<ServerReflectionRequest, ServerReflectionResponse>>
        calls;
  };

  Stream Open(std::unique_ptr<grpc::ClientContext> context) {
    Stream stream{std::move(context), nullptr};
    stream.calls = stub_->ServerReflectionInfo(stream.context.get());
    return stream;
  }
  Stream Open() { return Open(std::make_unique<grpc::ClientContext>()); }

  // Empty: the stream has ended.
  static std::vector<std::string> List(Stream& stream) {
    ServerReflectionRequest request;
    request.set_list_services("*");
    ServerReflectionResponse response;
    std::vector<std::string> names;
    if (!stream.calls->Write(request) || !stream.calls->Read(&response)) return names;
    for (const auto& service : response.list_services_response().service()) {
      names.push_back(service.name());
    }
    return names;
  }

  TestGateway gateway_;
  const std::unique_ptr<ServerReflection::Stub> stub_ =
      ServerReflection::NewStub(gateway_.NewChannel());
};

TEST_F(ReflectionServiceTest, ShowsTheAdminApiWithTheAdminTokenOnly) {
  const std::string admin = "bellwire.admin.v1.AdminService";
  Stream anybody = Open();
  EXPECT_THAT(List(anybody), Contains("bellwire.push.v1.PushService"));
  EXPECT_THAT(List(anybody), Not(Contains(admin)));
  Stream provider = Open(gateway_.Context());
  EXPECT_THAT(List(provider), Not(Contains(admin)));
  Stream administrator = Open(gateway_.AdminContext());
  EXPECT_THAT(List(administrator), Contains(admin));
}

TEST_F(ReflectionServiceTest, EndsWithItsClient) {
  Stream stream = Open();
  EXPECT_FALSE(List(stream).empty());
  stream.calls->WritesDone();
  EXPECT_TRUE(stream.calls->Finish().ok());
}

TEST_F(ReflectionServiceTest, TheOldestStreamMakesRoom) {
  std::vector<Stream> streams;
  for (size_t i = 0; i < kMaxReflectionStreams; ++i) {
    streams.push_back(Open());
    EXPECT_FALSE(List(streams.back()).empty());
  }
  Stream one_more = Open();
  EXPECT_FALSE(List(one_more).empty());
  ServerReflectionResponse response;
  EXPECT_FALSE(streams.front().calls->Read(&response));
  EXPECT_FALSE(List(streams[1]).empty());
  EXPECT_FALSE(List(one_more).empty());
}

TEST_F(ReflectionServiceTest, ADrainEndsIt) {
  Stream stream = Open();
  EXPECT_FALSE(List(stream).empty());
  gateway_.server->Drain(absl::InfiniteDuration());
  EXPECT_EQ(stream.calls->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace bellwire::gateway
