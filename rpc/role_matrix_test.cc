// Every caller against every internal method, over real connections: who has a daemon's certificate
// can do what that daemon needs, and nothing else.

#include <stdlib.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "bellwire/internal/v1/devices.grpc.pb.h"
#include "bellwire/internal/v1/internal.grpc.pb.h"
#include "bellwire/internal/v1/partition.grpc.pb.h"
#include "bellwire/internal/v1/store.grpc.pb.h"
#include "bellwire/internal/v1/topics.grpc.pb.h"
#include "common/clock.h"
#include "common/error.h"
#include "crypto/certificates.h"
#include "crypto/file_util.h"
#include "google/protobuf/descriptor.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "rpc/credentials.h"
#include "rpc/internal_port.h"
#include "rpc/roles.h"

namespace bellwire {
namespace {

// The internal directories of a fleet's daemons, all of one CA.
class RoleMatrixTest : public ::testing::Test {
 protected:
  RoleMatrixTest() : dir_(::testing::TempDir() + "/roles_XXXXXX") {
    EXPECT_NE(mkdtemp(dir_.data()), nullptr);
    const absl::Time now = RealClock()->WallNow();
    validity_ = {now - absl::Hours(1), now + absl::Hours(24)};
    ca_ = *MakeCertificateAuthority(kInternalAuthorityWithRoles, validity_);
  }
  ~RoleMatrixTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }

  // A directory with a certificate of these roles.
  std::string Daemon(const std::string& name, const std::vector<Role>& roles) {
    LeafRequest request{.common_name = "a daemon",
                        .dns_names = {std::string(kInternalServerName)},
                        .server = true,
                        .client = true,
                        .validity = validity_};
    for (const Role role : roles) {
      request.uris.push_back(RoleUri(role));
      request.dns_names.push_back(RoleServerName(role));
    }
    const std::string internal = absl::StrCat(dir_, "/", name);
    std::filesystem::create_directory(internal);
    const auto leaf = IssueCertificate(ca_, request);
    EXPECT_TRUE(leaf.ok()) << leaf.status();
    Write(internal + "/ca.pem", ca_.certificate_pem, FileAccess::kPublic);
    Write(internal + "/node.pem", leaf->certificate_pem, FileAccess::kPublic);
    Write(internal + "/node.key", leaf->key_pem, FileAccess::kPrivate);
    return internal;
  }
  static void Write(const std::string& path, const std::string& text, FileAccess access) {
    EXPECT_TRUE(ReplaceFileAtomically(path, text, access).ok());
  }

  // A port with all services, which answer UNIMPLEMENTED to who gets so far.
  std::unique_ptr<InternalPort> Serve(const std::string& internal_dir) {
    std::vector<std::unique_ptr<grpc::Service>> services;
    services.push_back(std::make_unique<internal::v1::Mailbox::CallbackService>());
    services.push_back(std::make_unique<internal::v1::Session::CallbackService>());
    services.push_back(std::make_unique<internal::v1::Catalogue::CallbackService>());
    services.push_back(std::make_unique<internal::v1::Keys::CallbackService>());
    services.push_back(std::make_unique<internal::v1::Feed::CallbackService>());
    services.push_back(std::make_unique<internal::v1::Network::CallbackService>());
    services.push_back(std::make_unique<internal::v1::Partition::CallbackService>());
    services.push_back(std::make_unique<internal::v1::Store::CallbackService>());
    services.push_back(std::make_unique<internal::v1::Topic::CallbackService>());
    services.push_back(std::make_unique<internal::v1::Device::CallbackService>());
    auto port = InternalPort::Open("127.0.0.1:0", internal_dir, std::move(services));
    EXPECT_TRUE(port.ok()) << port.status();
    return *std::move(port);
  }

  static grpc::StatusCode Call(const std::shared_ptr<grpc::Channel>& channel,
                               const std::string& path) {
    grpc::GenericStub stub(channel);
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(RealClock()->WallNow() + absl::Seconds(30)));
    grpc::ByteBuffer request;
    grpc::ByteBuffer response;
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareUnaryCall(&context, path, request, &queue);
    grpc::Status status;
    call->StartCall();
    call->Finish(&response, &status, &status);
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue.Next(&tag, &ok));
    return status.error_code();
  }

  static std::vector<std::string> Methods() {
    std::vector<std::string> methods;
    const auto* pool = google::protobuf::DescriptorPool::generated_pool();
    for (const char* name : {"devices", "internal", "partition", "topics", "store"}) {
      const auto* file =
          pool->FindFileByName(absl::StrCat("bellwire/internal/v1/", name, ".proto"));
      EXPECT_NE(file, nullptr) << name;
      for (int i = 0; file != nullptr && i < file->service_count(); ++i) {
        for (int j = 0; j < file->service(i)->method_count(); ++j) {
          methods.push_back(absl::StrCat("/", file->service(i)->full_name(), "/",
                                         file->service(i)->method(j)->name()));
        }
      }
    }
    return methods;
  }

  std::string dir_;
  Validity validity_;
  KeyAndCertificate ca_;
};

TEST_F(RoleMatrixTest, OnlyAllowedCellsPass) {
  const auto port = Serve(Daemon("registry", {Role::kRegistry}));
  struct Caller {
    std::string name;
    Roles roles;
    std::shared_ptr<grpc::Channel> channel;
  };
  std::vector<Caller> callers;
  for (const auto& [name, roles] :
       std::vector<std::pair<std::string, std::vector<Role>>>{{"gateway", {Role::kGateway}},
                                                              {"connector", {Role::kConnector}},
                                                              {"registry", {Role::kRegistry}},
                                                              {"none", {}}}) {
    Roles set;
    if (!roles.empty()) set = Roles({roles[0]});
    const auto credentials = InternalChannelCredentials(Daemon("caller_" + name, roles));
    ASSERT_TRUE(credentials.ok()) << credentials.status();
    callers.push_back(
        {name, set, NewInternalChannel(port->address(), *credentials, Role::kRegistry)});
  }
  std::string table = "| method | gateway | connector | registry | none |\n";
  for (const std::string& method : Methods()) {
    absl::StrAppend(&table, "| ", method.substr(method.rfind('.') + 1), " |");
    for (const Caller& caller : callers) {
      const bool may = caller.roles.HasAnyOf(CallersOf(method));
      EXPECT_EQ(Call(caller.channel, method),
                may ? grpc::StatusCode::UNIMPLEMENTED : grpc::StatusCode::PERMISSION_DENIED)
          << caller.name << " calls " << method;
      absl::StrAppend(&table, may ? " yes |" : " - |");
    }
    absl::StrAppend(&table, "\n");
  }
  std::cout << table;
}

TEST_F(RoleMatrixTest, AMethodThatIsNotKnownIsNobodys) {
  const auto port = Serve(Daemon("registry", {Role::kRegistry}));
  const auto credentials = *InternalChannelCredentials(Daemon("all", Roles::All().List()));
  const auto channel = NewInternalChannel(port->address(), credentials, Role::kRegistry);
  EXPECT_EQ(Call(channel, "/bellwire.internal.v1.Mailbox/New"), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(Call(channel, "/bellwire.internal.v1.New/Method"), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(RoleMatrixTest, OneDaemonCannotPoseAsAnother) {
  // A connector's certificate at the address where the registry was.
  const auto port = Serve(Daemon("connector", {Role::kConnector}));
  const auto credentials = *InternalChannelCredentials(Daemon("gateway", {Role::kGateway}));
  EXPECT_EQ(Call(NewInternalChannel(port->address(), credentials, Role::kRegistry),
                 "/bellwire.internal.v1.Mailbox/Append"),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Call(NewInternalChannel(port->address(), credentials, Role::kConnector),
                 "/bellwire.internal.v1.Mailbox/Append"),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(RoleMatrixTest, ADaemonSaysThatItsCertificateIsAnothers) {
  const std::string connector = Daemon("connector", {Role::kConnector});
  EXPECT_TRUE(CheckInternalRole(connector, Role::kConnector).ok());
  const absl::Status wrong = CheckInternalRole(connector, Role::kRegistry);
  EXPECT_EQ(ErrorReason(wrong), "WRONG_ROLE");
  EXPECT_NE(wrong.message().find(connector + "/node.pem"), std::string::npos) << wrong;
  EXPECT_EQ(ErrorReason(CheckInternalRole(Daemon("none", {}), Role::kGateway)), "WRONG_ROLE");
}

// A directory that was made before there were roles.
TEST_F(RoleMatrixTest, UnderAnOldAuthorityACertificateWithoutRolesIsGoodForAll) {
  ca_ = *MakeCertificateAuthority("bellwire internal CA", validity_);
  const std::string old = Daemon("old", {});
  EXPECT_TRUE(CheckInternalRole(old, Role::kRegistry).ok());
  const auto port = Serve(old);
  const auto credentials = *InternalChannelCredentials(old);
  for (const std::string& method : Methods()) {
    EXPECT_EQ(Call(NewInternalChannel(port->address(), credentials, Role::kRegistry), method),
              grpc::StatusCode::UNIMPLEMENTED)
        << method;
  }
  // One that has roles is good for those only.
  const auto connector = *InternalChannelCredentials(Daemon("connector", {Role::kConnector}));
  EXPECT_EQ(Call(NewInternalChannel(port->address(), connector, Role::kRegistry),
                 "/bellwire.internal.v1.Catalogue/ListTeams"),
            grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(RoleMatrixTest, ACertificateThatIsNotGoodNowIsAnErrorThatNamesItsFile) {
  const absl::Time now = RealClock()->WallNow();
  const auto expect = [&](const Validity& validity, const std::string& reason) {
    const std::string internal = Daemon("dated", {Role::kGateway});
    const auto leaf = IssueCertificate(ca_, {.common_name = "a daemon",
                                             .dns_names = {std::string(kInternalServerName)},
                                             .uris = {RoleUri(Role::kGateway)},
                                             .client = true,
                                             .validity = validity});
    ASSERT_TRUE(leaf.ok()) << leaf.status();
    Write(internal + "/node.pem", leaf->certificate_pem, FileAccess::kPublic);
    Write(internal + "/node.key", leaf->key_pem, FileAccess::kPrivate);
    for (const absl::Status& status :
         {InternalServerCredentials(internal).status(),
          InternalChannelCredentials(internal).status(),
          ReadTlsKeyPair(internal + "/node.pem", internal + "/node.key").status()}) {
      EXPECT_EQ(ErrorReason(status), reason) << status;
      EXPECT_NE(status.message().find(internal + "/node.pem"), std::string::npos) << status;
    }
  };
  expect({now - absl::Hours(2), now - absl::Hours(1)}, "CERTIFICATE_EXPIRED");
  expect({now + absl::Hours(1), now + absl::Hours(2)}, "CERTIFICATE_NOT_YET_VALID");
  // And one of another CA, which TLS would refuse at every connection.
  const std::string mixed = Daemon("mixed", {Role::kGateway});
  const auto other = *MakeCertificateAuthority(kInternalAuthorityWithRoles, validity_);
  Write(mixed + "/ca.pem", other.certificate_pem, FileAccess::kPublic);
  EXPECT_EQ(ErrorReason(InternalServerCredentials(mixed).status()), "NOT_OF_THIS_CA");
}

}  // namespace
}  // namespace bellwire
