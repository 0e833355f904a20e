#include "rpc/roles.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "bellwire/internal/v1/devices.pb.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "bellwire/internal/v1/partition.pb.h"
#include "bellwire/internal/v1/store.pb.h"
#include "bellwire/internal/v1/topics.pb.h"
#include "google/protobuf/descriptor.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

TEST(RolesTest, AreNamedInCertificates) {
  EXPECT_EQ(RoleUri(Role::kConnector), "bellwire:role:connector");
  EXPECT_EQ(RoleServerName(Role::kRegistry), "bellwire-registry");
  EXPECT_EQ(Roles::FromUris({"bellwire:role:gateway", "https://example.com", "bellwire:role:"}),
            Roles({Role::kGateway}));
  EXPECT_TRUE(Roles::FromUris({"bellwire:role:GATEWAY", "bellwire:role:gateway "}).empty());
  EXPECT_EQ(Roles({Role::kRegistry, Role::kConnector}).Names(), "connector, registry");
  EXPECT_TRUE(Roles::All().HasAnyOf({Role::kRegistry}));
  EXPECT_FALSE(Roles({Role::kGateway}).HasAnyOf({Role::kConnector, Role::kRegistry}));
}

// Every method of every internal service, from their descriptors: a new one without a row fails
// here.
TEST(RolesTest, EveryMethodHasItsCallers) {
  std::map<std::string, std::string> callers;
  for (const google::protobuf::FileDescriptor* file :
       {internal::v1::Route::descriptor()->file(), internal::v1::ClaimRequest::descriptor()->file(),
        internal::v1::EndDeviceRequest::descriptor()->file(),
        internal::v1::PartitionMap::descriptor()->file(),
        google::protobuf::DescriptorPool::generated_pool()->FindFileByName(
            "bellwire/internal/v1/store.proto")}) {
    ASSERT_NE(file, nullptr);
    for (int i = 0; i < file->service_count(); ++i) {
      for (int j = 0; j < file->service(i)->method_count(); ++j) {
        const auto* method = file->service(i)->method(j);
        const std::string path =
            absl::StrCat("/", file->service(i)->full_name(), "/", method->name());
        EXPECT_FALSE(CallersOf(path).empty()) << path << " has no row: nobody may call it";
        callers[absl::StrCat(file->service(i)->name(), "/", method->name())] =
            CallersOf(path).Names();
      }
    }
  }
  EXPECT_GT(callers.size(), 30u);
  // What the certificate of a connector, the process that faces the internet, is not good for.
  for (const char* method :
       {"Mailbox/Append", "Mailbox/Recall", "Mailbox/GetMessage", "Catalogue/ListTeams",
        "Keys/PutKey", "Keys/RevokeKey", "Keys/GetKey", "Catalogue/DeleteTeam", "Feed/ReadReceipts",
        "Store/Backup", "Topic/Publish", "Topic/PageSubscribers", "Device/PutEnrolment",
        "Device/ListDevices", "Device/EndDevice"}) {
    EXPECT_EQ(callers.at(method), "gateway") << method;
  }
  // And what that of a gateway is not good for.
  for (const char* method : {"Session/Attach", "Network/ReportNetwork"}) {
    EXPECT_EQ(callers.at(method), "connector") << method;
  }
  EXPECT_EQ(callers.at("Topic/ChangeSubscription"), "gateway, connector");
  EXPECT_EQ(callers.at("Partition/GetMap"), "gateway, connector");
}

TEST(RolesTest, WhatHasNoRowIsNobodys) {
  for (const char* path : {"", "/", "Mailbox/Append", "/bellwire.internal.v1.New/Method",
                           "/bellwire.internal.v1.Mailbox", "/bellwire.internal.v1.mailbox/Append",
                           "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"}) {
    EXPECT_TRUE(CallersOf(path).empty()) << path;
  }
  EXPECT_EQ(CallersOf("/grpc.health.v1.Health/Check"), Roles::All());
}

}  // namespace
}  // namespace bellwire
