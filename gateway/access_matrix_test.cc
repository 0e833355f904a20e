// Every kind of caller against every method of the provider port, and against every door: only
// allowed cells pass. Methods come from the descriptors, doors from GatewayServer::KnownDoors, and
// one without a row fails. Prints the table of docs/operate/security.md.

#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "bellwire/admin/v1/admin.grpc.pb.h"
#include "bellwire/admin/v1/backup.grpc.pb.h"
#include "bellwire/admin/v1/devices.grpc.pb.h"
#include "bellwire/push/v1/push.grpc.pb.h"
#include "bellwire/push/v1/topics.grpc.pb.h"
#include "common/error.h"
#include "crypto/file_util.h"
#include "gateway/admin/administrators.h"
#include "gateway/auth/access_token.h"
#include "gateway/testing/test_gateway.h"
#include "google/protobuf/descriptor.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "rpc/grpc_status.h"

namespace bellwire::gateway {
namespace {

constexpr char kSendOnlyKey[] = "sendonly22";
constexpr char kRevokedKey[] = "revokedk22";

// Who may call a method of a team.
enum class Who { kSendOnlyToo, kSigningKey };

// A new method of PushService or TopicService without a row fails.
const std::map<std::string, Who>& Rows() {
  static const auto* const kRows = new std::map<std::string, Who>{
      {"PushService/Send", Who::kSendOnlyToo},
      {"PushService/SendBatch", Who::kSendOnlyToo},
      {"PushService/SendStream", Who::kSendOnlyToo},
      {"PushService/GetMessage", Who::kSendOnlyToo},
      {"PushService/Recall", Who::kSigningKey},
      {"PushService/WatchReceipts", Who::kSigningKey},
      {"TopicService/Subscribe", Who::kSigningKey},
      {"TopicService/Unsubscribe", Who::kSigningKey},
      {"TopicService/ListSubscriptions", Who::kSigningKey},
      {"TopicService/ListTopics", Who::kSendOnlyToo},
      {"TopicService/Publish", Who::kSendOnlyToo},
      {"TopicService/GetTopicMessage", Who::kSendOnlyToo},
      {"TopicService/RecallTopicMessage", Who::kSigningKey},
  };
  return *kRows;
}

// What refuses a caller for who it is, or for what its credential is.
bool IsAboutTheCaller(const absl::Status& status) {
  static const auto* const kReasons =
      new std::set<std::string>{"MISSING_CREDENTIAL",   "BAD_CREDENTIAL", "EXPIRED_CREDENTIAL",
                                "SEND_ONLY_CREDENTIAL", "ADMIN_ROLE",     "TOO_MANY_ATTEMPTS"};
  return absl::IsUnauthenticated(status) || kReasons->contains(ErrorReason(status));
}

class AccessMatrixTest : public ::testing::Test {
 protected:
  AccessMatrixTest() {
    send_only_ = NewAccessToken(kSendOnlyKey);
    const auto known = gateway_.registry.get_key;
    gateway_.registry.get_key =
        [this,
         known](const internal::v1::GetKeyRequest& request) -> absl::StatusOr<admin::v1::Key> {
      admin::v1::Key key;
      key.set_key_id(request.key_id());
      key.set_team_id(TestGateway::kTeam);
      if (request.key_id() == kSendOnlyKey) {
        key.set_kind(admin::v1::Key::SEND_ONLY);
        key.set_token_sha256(HashAccessToken(send_only_));
        return key;
      }
      if (request.key_id() == kRevokedKey) {
        key.set_public_key_pem(gateway_.key.public_key_pem);
        key.mutable_revoke_time()->set_seconds(1);
        return key;
      }
      return known(request);
    };
    const std::vector<AdministratorEntry> administrators = {
        {{"reader", AdminRole::kReadOnly}, DigestOfToken("token of reader")}};
    EXPECT_TRUE(ReplaceFileAtomically(gateway_.administrators_path(),
                                      RenderAdministrators(administrators), FileAccess::kPrivate)
                    .ok());
  }

  std::string Jwt(const std::function<void(JwtPartsForTesting&)>& change = nullptr) const {
    JwtPartsForTesting parts = gateway_.JwtParts();
    if (change) change(parts);
    return SignJwtForTesting(parts, gateway_.key.private_key_pem);
  }

  // Each caller's credential; empty: none.
  std::vector<std::pair<std::string, std::string>> Callers() const {
    const ProviderKeyPair stranger = *GenerateProviderKeyPair();
    return {
        {"none", ""},
        {"nonsense", "nonsense"},
        {"expired", Jwt([](JwtPartsForTesting& parts) { parts.issued_at -= absl::Hours(24); })},
        {"revoked", Jwt([](JwtPartsForTesting& parts) { parts.key_id = kRevokedKey; })},
        {"other team's name", Jwt([](JwtPartsForTesting& parts) { parts.team_id = "otherteam2"; })},
        {"other key", SignJwtForTesting(gateway_.JwtParts(), stranger.private_key_pem)},
        {"unsigned",
         [this] {
           JwtPartsForTesting parts = gateway_.JwtParts();
           parts.algorithm = "none";
           return SignJwtForTesting(parts, "");
         }()},
        {"read-only admin", "token of reader"},
        {"admin.token", TestGateway::kAdminToken},
        {"access token", send_only_},
        {"signing key", Jwt()},
    };
  }

  // One call; an empty request, or what makes a stream end by itself.
  absl::Status Call(const std::string& path, const std::string& credential) {
    const auto context = credential.empty() ? std::make_unique<grpc::ClientContext>()
                                            : gateway_.ContextWith(credential);
    std::string request;
    if (absl::EndsWith(path, "/WatchReceipts")) {
      push::v1::WatchReceiptsRequest watch;
      watch.set_cursor("nonsense");
      request = watch.SerializeAsString();
    }
    grpc::GenericStub stub(channel_);
    const grpc::Slice slice(request);
    const grpc::ByteBuffer body(&slice, 1);
    grpc::ByteBuffer response;
    grpc::Status status;
    absl::Notification done;
    stub.UnaryCall(context.get(), path, {}, &body, &response, [&](grpc::Status s) {
      status = std::move(s);
      done.Notify();
    });
    done.WaitForNotification();
    return FromGrpcStatus(status);
  }

  static std::vector<std::string> MethodsOf(const std::string& package,
                                            const std::vector<std::string>& files) {
    std::vector<std::string> methods;
    for (const std::string& name : files) {
      const auto* file = google::protobuf::DescriptorPool::generated_pool()->FindFileByName(
          absl::StrCat("bellwire/", package, "/v1/", name, ".proto"));
      EXPECT_NE(file, nullptr) << name;
      for (int i = 0; file != nullptr && i < file->service_count(); ++i) {
        for (int j = 0; j < file->service(i)->method_count(); ++j) {
          methods.push_back(
              absl::StrCat(file->service(i)->name(), "/", file->service(i)->method(j)->name()));
        }
      }
    }
    return methods;
  }

  TestGateway gateway_;
  std::string send_only_;
  std::shared_ptr<grpc::Channel> channel_ = gateway_.NewChannel();
};

TEST_F(AccessMatrixTest, OnlyAllowedCellsOfTeamsMethodsPass) {
  const std::vector<std::string> methods = MethodsOf("push", {"push", "topics"});
  EXPECT_EQ(methods.size(), Rows().size());
  const auto callers = Callers();
  std::string table = "| method |";
  for (const auto& [name, credential] : callers) absl::StrAppend(&table, " ", name, " |");
  absl::StrAppend(&table, "\n");
  for (const std::string& method : methods) {
    ASSERT_TRUE(Rows().contains(method)) << method << " has no row";
    absl::StrAppend(&table, "| ", method, " |");
    for (const auto& [name, credential] : callers) {
      const bool allowed = name == "signing key" ||
                           (name == "access token" && Rows().at(method) == Who::kSendOnlyToo);
      const absl::Status status = Call(absl::StrCat("/bellwire.push.v1.", method), credential);
      EXPECT_EQ(IsAboutTheCaller(status), !allowed) << name << " " << method << ": " << status;
      absl::StrAppend(&table, allowed ? " yes |" : " - |");
    }
    absl::StrAppend(&table, "\n");
  }
  std::cout << table;
}

// The other door: no credential of a team is good for administration. Who may do what of those who
// administer: gateway/admin/admin_roles_test.cc.
TEST_F(AccessMatrixTest, NobodyButAdministratorsAdministers) {
  for (const std::string& method : MethodsOf("admin", {"admin", "backup", "devices"})) {
    const std::string path = absl::StrCat("/bellwire.admin.v1.", method);
    for (const auto& [name, credential] : Callers()) {
      if (name == "admin.token" || name == "read-only admin") continue;
      const absl::Status status = Call(path, credential);
      EXPECT_TRUE(IsAboutTheCaller(status)) << name << " " << method << ": " << status;
    }
    EXPECT_FALSE(IsAboutTheCaller(Call(path, TestGateway::kAdminToken))) << method;
  }
}

}  // namespace
}  // namespace bellwire::gateway
