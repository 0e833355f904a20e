#include "gateway/doors/grpc/reflection.h"

#include <string>
#include <vector>

#include "bellwire/admin/v1/admin.pb.h"
#include "bellwire/push/v1/push.pb.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.pb.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;
using ::testing::Contains;
using ::testing::ElementsAre;

constexpr char kPush[] = "bellwire.push.v1.PushService";
constexpr char kAdmin[] = "bellwire.admin.v1.AdminService";

class ReflectionTest : public ::testing::Test {
 protected:
  ReflectionTest() {
    // Linked in, and so known to the pool.
    push::v1::SendRequest::descriptor();
    admin::v1::Team::descriptor();
  }

  ServerReflectionResponse Symbol(const std::string& symbol, bool is_admin = false) {
    ServerReflectionRequest request;
    request.set_file_containing_symbol(symbol);
    return reflection_.Answer(request, is_admin);
  }

  const Reflection reflection_{{kPush, "grpc.health.v1.Health"}, {kAdmin}};
};

std::vector<std::string> Services(const ServerReflectionResponse& response) {
  std::vector<std::string> names;
  for (const auto& service : response.list_services_response().service()) {
    names.push_back(service.name());
  }
  return names;
}

std::vector<std::string> Files(const ServerReflectionResponse& response) {
  std::vector<std::string> names;
  for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto file;
    EXPECT_TRUE(file.ParseFromString(bytes));
    names.push_back(file.name());
  }
  return names;
}

void ExpectNotFound(const ServerReflectionResponse& response) {
  EXPECT_EQ(response.error_response().error_code(), 5) << response.DebugString();
}

TEST_F(ReflectionTest, OnlyTheAdminSeesTheAdminApi) {
  ServerReflectionRequest list;
  list.set_list_services("*");
  EXPECT_THAT(Services(reflection_.Answer(list, false)),
              ElementsAre(kPush, "grpc.health.v1.Health"));
  EXPECT_THAT(Services(reflection_.Answer(list, true)),
              ElementsAre(kPush, "grpc.health.v1.Health", kAdmin));

  // Nor by any other question.
  for (const char* symbol :
       {kAdmin, "bellwire.admin.v1.AdminService.CreateTeam", "bellwire.admin.v1.Team",
        "bellwire.admin.v1.Team.name", "bellwire.admin.v1.DROP_OLDEST"}) {
    ExpectNotFound(Symbol(symbol));
    EXPECT_THAT(Files(Symbol(symbol, true)), Contains("bellwire/admin/v1/admin.proto")) << symbol;
  }
  ServerReflectionRequest file;
  file.set_file_by_filename("bellwire/admin/v1/admin.proto");
  ExpectNotFound(reflection_.Answer(file, false));
  EXPECT_THAT(Files(reflection_.Answer(file, true)), Contains("bellwire/admin/v1/admin.proto"));
  ServerReflectionRequest extensions;
  extensions.set_all_extension_numbers_of_type("bellwire.admin.v1.Team");
  ExpectNotFound(reflection_.Answer(extensions, false));
}

// What the program has linked in beside its services stays unseen by both.
TEST_F(ReflectionTest, ShowsNoFileThatNoServiceNeeds) {
  ServerReflectionRequest file;
  file.set_file_by_filename("google/protobuf/descriptor.proto");
  ExpectNotFound(reflection_.Answer(file, true));
}

TEST_F(ReflectionTest, AFileComesWithItsImports) {
  EXPECT_THAT(Files(Symbol(kPush)),
              ::testing::UnorderedElementsAre("bellwire/push/v1/push.proto",
                                              "google/protobuf/duration.proto",
                                              "google/protobuf/timestamp.proto"));
}

TEST_F(ReflectionTest, EveryQuestionHasAnAnswer) {
  ServerReflectionRequest request;
  EXPECT_EQ(reflection_.Answer(request, false).error_response().error_code(), 3);
  request.mutable_file_containing_extension()->set_containing_type("bellwire.push.v1.SendRequest");
  ExpectNotFound(reflection_.Answer(request, false));
  request.set_all_extension_numbers_of_type("bellwire.push.v1.SendRequest");
  request.set_host("push.example.com");
  const ServerReflectionResponse response = reflection_.Answer(request, false);
  EXPECT_EQ(response.all_extension_numbers_response().base_type_name(),
            "bellwire.push.v1.SendRequest");
  EXPECT_EQ(response.valid_host(), "push.example.com");
  EXPECT_EQ(response.original_request().all_extension_numbers_of_type(),
            "bellwire.push.v1.SendRequest");
  ExpectNotFound(Symbol(""));
  ExpectNotFound(Symbol("no.such.Service"));
}

}  // namespace
}  // namespace bellwire::gateway
