// Every kind of administrator against every method of the admin API, and what the audit log says of
// it.

#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "bellwire/admin/v1/admin.grpc.pb.h"
#include "bellwire/admin/v1/backup.grpc.pb.h"
#include "bellwire/admin/v1/devices.grpc.pb.h"
#include "bellwire/admin/v1/support.grpc.pb.h"
#include "common/error.h"
#include "crypto/file_util.h"
#include "gateway/admin/administrators.h"
#include "gateway/admin/audit_log.h"
#include "gateway/testing/test_gateway.h"
#include "google/protobuf/descriptor.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "rpc/grpc_status.h"

namespace bellwire::gateway {
namespace {

// The least role of each method. A new method without a row fails.
const std::map<std::string, AdminRole>& Rows() {
  static const auto* const kRows = new std::map<std::string, AdminRole>{
      {"AdminService/CreateTeam", AdminRole::kOperator},
      {"AdminService/ListTeams", AdminRole::kReadOnly},
      {"AdminService/UpdateTeam", AdminRole::kOperator},
      {"AdminService/DeleteTeam", AdminRole::kOwner},
      {"AdminService/CreateApp", AdminRole::kOperator},
      {"AdminService/ListApps", AdminRole::kReadOnly},
      {"AdminService/DeleteApp", AdminRole::kOwner},
      {"AdminService/CountRecords", AdminRole::kReadOnly},
      {"AdminService/CreateKey", AdminRole::kOperator},
      {"AdminService/ListKeys", AdminRole::kReadOnly},
      {"AdminService/RevokeKey", AdminRole::kOperator},
      {"AdminService/CreateAlias", AdminRole::kOperator},
      {"AdminService/ListAliases", AdminRole::kReadOnly},
      {"AdminService/DeleteAlias", AdminRole::kOperator},
      {"AdminService/GetQuota", AdminRole::kReadOnly},
      {"AdminService/SetQuota", AdminRole::kOperator},
      {"BackupService/Backup", AdminRole::kOwner},
      {"SupportService/SendTest", AdminRole::kOperator},
      {"SupportService/GetMessage", AdminRole::kReadOnly},
      {"SupportService/WatchReceipts", AdminRole::kReadOnly},
      {"SupportService/ListTopics", AdminRole::kReadOnly},
      {"SupportService/GetTopicMessage", AdminRole::kReadOnly},
      {"BackupService/GetPayloadKeys", AdminRole::kReadOnly},
      {"DeviceService/CreateEnrolment", AdminRole::kOperator},
      {"DeviceService/ListEnrolments", AdminRole::kReadOnly},
      {"DeviceService/DeleteEnrolment", AdminRole::kOperator},
      {"DeviceService/ListDevices", AdminRole::kReadOnly},
      {"DeviceService/GetDevice", AdminRole::kReadOnly},
      {"DeviceService/RevokeDevice", AdminRole::kOperator},
      {"DeviceService/DeleteDevice", AdminRole::kOwner},
  };
  return *kRows;
}

class AdminRolesTest : public ::testing::Test {
 protected:
  AdminRolesTest() {
    SetAdministrators({{"reader", AdminRole::kReadOnly},
                       {"alice", AdminRole::kOperator},
                       {"olga", AdminRole::kOwner}});
  }

  // Each one's token is "token of NAME".
  void SetAdministrators(const std::vector<Administrator>& administrators) {
    std::vector<AdministratorEntry> entries;
    for (const Administrator& who : administrators) {
      entries.push_back({who, DigestOfToken(absl::StrCat("token of ", who.name))});
    }
    ASSERT_TRUE(ReplaceFileAtomically(gateway_.administrators_path(), RenderAdministrators(entries),
                                      FileAccess::kPrivate)
                    .ok());
  }

  // An empty request. Empty `token`: without a credential.
  absl::Status Call(const std::string& method, const std::string& token) {
    const auto context =
        token.empty() ? std::make_unique<grpc::ClientContext>() : gateway_.ContextWith(token);
    grpc::GenericStub stub(channel_);
    grpc::ByteBuffer response;
    grpc::Status status;
    absl::Notification done;
    const grpc::Slice nothing;
    const grpc::ByteBuffer empty(&nothing, 1);
    stub.UnaryCall(context.get(), absl::StrCat("/bellwire.admin.v1.", method), {}, &empty,
                   &response, [&](grpc::Status s) {
                     status = std::move(s);
                     done.Notify();
                   });
    done.WaitForNotification();
    return FromGrpcStatus(status);
  }
  template <typename Method, typename Request, typename Response>
  absl::Status CallAs(const std::string& name, Method method, const Request& request,
                      Response* response) {
    return FromGrpcStatus((gateway_.admin()->*method)(
        gateway_.ContextWith(absl::StrCat("token of ", name)).get(), request, response));
  }

  // "alice CreateTeam asked", in order; the log's thread is done with what came before a change.
  std::vector<std::string> Audit() {
    std::vector<std::string> lines;
    const absl::Status status =
        ReadAuditLog(gateway_.audit_path(), [&lines](const AuditEntry& entry) {
          std::string line = absl::StrCat(entry.record.who.empty() ? "nobody" : entry.record.who,
                                          " ", entry.record.what, " ", entry.record.outcome);
          if (entry.record.of != 0) absl::StrAppend(&line, " of ", entry.record.of);
          for (const auto& [name, value] : entry.record.about) {
            absl::StrAppend(&line, " ", name, "=", value);
          }
          lines.push_back(std::move(line));
        });
    EXPECT_TRUE(status.ok() || absl::IsNotFound(status)) << status;
    return lines;
  }

  TestGateway gateway_;
  std::shared_ptr<grpc::Channel> channel_ = gateway_.NewChannel();
};

TEST_F(AdminRolesTest, OnlyAllowedCellsPass) {
  std::vector<std::string> methods;
  for (const char* file : {"admin", "backup", "support", "devices"}) {
    const auto* descriptor = google::protobuf::DescriptorPool::generated_pool()->FindFileByName(
        absl::StrCat("bellwire/admin/v1/", file, ".proto"));
    ASSERT_NE(descriptor, nullptr);
    for (int i = 0; i < descriptor->service_count(); ++i) {
      for (int j = 0; j < descriptor->service(i)->method_count(); ++j) {
        methods.push_back(absl::StrCat(descriptor->service(i)->name(), "/",
                                       descriptor->service(i)->method(j)->name()));
      }
    }
  }
  ASSERT_EQ(methods.size(), Rows().size());
  std::string table = "| method | read-only | operator | owner | admin.token |\n";
  for (const std::string& method : methods) {
    ASSERT_TRUE(Rows().contains(method)) << method << " has no row";
    const AdminRole least = Rows().at(method);
    absl::StrAppend(&table, "| ", method, " |");
    for (const auto& [token, role] : std::vector<std::pair<std::string, AdminRole>>{
             {"token of reader", AdminRole::kReadOnly},
             {"token of alice", AdminRole::kOperator},
             {"token of olga", AdminRole::kOwner},
             {TestGateway::kAdminToken, AdminRole::kOwner}}) {
      const absl::Status status = Call(method, token);
      EXPECT_EQ(ErrorReason(status) == "ADMIN_ROLE", role < least) << token << " " << method;
      EXPECT_FALSE(absl::IsUnauthenticated(status)) << token << " " << method << status;
      if (role < least) {
        EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
      }
      absl::StrAppend(&table, role < least ? " - |" : " yes |");
    }
    absl::StrAppend(&table, "\n");
    EXPECT_EQ(ErrorReason(Call(method, "")), "MISSING_CREDENTIAL");
  }
  std::cout << table;
}

// An administrator of one team gets no further than that, whatever its role and the method.
TEST_F(AdminRolesTest, AnAdministratorOfATeamHasNothingElse) {
  static constexpr char kOwn[] = "teamteam22";
  SetAdministrators({{"tom", AdminRole::kOwner, kOwn}});
  const std::string token = "token of tom";
  // Empty requests: of no team, and so of the server.
  for (const auto& [method, role] : Rows()) {
    if (method == "AdminService/ListTeams") continue;
    gateway_.registry.list_apps = [](const admin::v1::ListAppsRequest&) {
      return absl::StatusOr<admin::v1::ListAppsResponse>(admin::v1::ListAppsResponse());
    };
    gateway_.registry.list_keys = [](const admin::v1::ListKeysRequest&) {
      return absl::StatusOr<admin::v1::ListKeysResponse>(admin::v1::ListKeysResponse());
    };
    EXPECT_EQ(ErrorReason(Call(method, token)), "ADMIN_TEAM") << method;
  }
  gateway_.registry.list_teams = [](const admin::v1::ListTeamsRequest&) {
    admin::v1::ListTeamsResponse teams;
    teams.add_teams()->set_team_id("anotherone");
    teams.add_teams()->set_team_id(kOwn);
    return absl::StatusOr<admin::v1::ListTeamsResponse>(teams);
  };
  admin::v1::ListTeamsResponse teams;
  ASSERT_TRUE(CallAs("tom", &admin::v1::AdminService::Stub::ListTeams,
                     admin::v1::ListTeamsRequest(), &teams)
                  .ok());
  ASSERT_EQ(teams.teams_size(), 1);
  EXPECT_EQ(teams.teams(0).team_id(), kOwn);

  gateway_.registry.get_quota = [](const admin::v1::GetQuotaRequest&) {
    return absl::StatusOr<admin::v1::GetQuotaResponse>(admin::v1::GetQuotaResponse());
  };
  admin::v1::GetQuotaRequest quota;
  admin::v1::GetQuotaResponse quotas;
  quota.set_team_id(kOwn);
  EXPECT_TRUE(CallAs("tom", &admin::v1::AdminService::Stub::GetQuota, quota, &quotas).ok());
  quota.set_team_id("anotherone");
  EXPECT_EQ(ErrorReason(CallAs("tom", &admin::v1::AdminService::Stub::GetQuota, quota, &quotas)),
            "ADMIN_TEAM");
  // Nobody raises a quota of their own.
  admin::v1::SetQuotaRequest set;
  set.mutable_subject()->set_kind(admin::v1::QuotaSubject::TEAM);
  set.mutable_subject()->set_id(kOwn);
  admin::v1::QuotaReport report;
  EXPECT_EQ(ErrorReason(CallAs("tom", &admin::v1::AdminService::Stub::SetQuota, set, &report)),
            "ADMIN_TEAM");

  gateway_.registry.list_keys = [](const admin::v1::ListKeysRequest& request) {
    EXPECT_EQ(request.team_id(), kOwn);
    admin::v1::ListKeysResponse keys;
    keys.add_keys()->set_key_id("ownkeyaaaa");
    return absl::StatusOr<admin::v1::ListKeysResponse>(keys);
  };
  std::string revoked;
  gateway_.registry.revoke_key = [&revoked](const admin::v1::RevokeKeyRequest& request) {
    revoked = request.key_id();
    return absl::StatusOr<admin::v1::Key>(admin::v1::Key());
  };
  admin::v1::RevokeKeyRequest revoke;
  admin::v1::Key key;
  revoke.set_key_id("otherkeyaa");
  EXPECT_EQ(ErrorReason(CallAs("tom", &admin::v1::AdminService::Stub::RevokeKey, revoke, &key)),
            "ADMIN_TEAM");
  EXPECT_EQ(revoked, "");
  revoke.set_key_id("ownkeyaaaa");
  EXPECT_TRUE(CallAs("tom", &admin::v1::AdminService::Stub::RevokeKey, revoke, &key).ok());
  EXPECT_EQ(revoked, "ownkeyaaaa");
}

TEST_F(AdminRolesTest, AChangeOfAQuotaIsInTheAuditLogWithItsLimits) {
  gateway_.registry.set_quota = [](const admin::v1::SetQuotaRequest& request) {
    admin::v1::QuotaReport report;
    *report.mutable_subject() = request.subject();
    return absl::StatusOr<admin::v1::QuotaReport>(report);
  };
  admin::v1::SetQuotaRequest request;
  request.mutable_subject()->set_kind(admin::v1::QuotaSubject::TEAM);
  request.mutable_subject()->set_id("teamteam22");
  request.mutable_set()->set_messages_per_day(5000);
  request.add_clear("topics");
  admin::v1::QuotaReport report;
  ASSERT_TRUE(CallAs("alice", &admin::v1::AdminService::Stub::SetQuota, request, &report).ok());
  gateway_.server.reset();
  const std::vector<std::string> audit = Audit();
  ASSERT_EQ(audit.size(), 2u);
  EXPECT_EQ(audit[0],
            "alice SetQuota asked kind=TEAM id=teamteam22 messages_per_day=5000 clear=topics");
  EXPECT_TRUE(absl::StartsWith(audit[1], "alice SetQuota OK of 1 kind=TEAM")) << audit[1];
}

TEST_F(AdminRolesTest, AChangeIsInTheAuditLogBeforeItIsDone) {
  std::vector<std::string> when_done;
  gateway_.registry.put_team = [&](const admin::v1::Team& team) {
    when_done = Audit();
    return team;
  };
  admin::v1::CreateTeamRequest request;
  request.set_name("a team");
  admin::v1::Team team;
  ASSERT_TRUE(CallAs("alice", &admin::v1::AdminService::Stub::CreateTeam, request, &team).ok());
  EXPECT_EQ(when_done, std::vector<std::string>{"alice CreateTeam asked name=a team"});
  // The outcome is behind it by the time that the log has taken something else.
  ASSERT_TRUE(CallAs("alice", &admin::v1::AdminService::Stub::CreateTeam, request, &team).ok());
  ASSERT_GE(when_done.size(), 3u);
  EXPECT_TRUE(absl::StartsWith(when_done[1], "alice CreateTeam OK of 1 name=a team team_id="))
      << when_done[1];
  EXPECT_EQ(when_done[2], "alice CreateTeam asked name=a team");
}

TEST_F(AdminRolesTest, RefusalsAndErrorsAreInItAndListsAreNot) {
  EXPECT_EQ(ErrorReason(Call("AdminService/DeleteTeam", "token of alice")), "ADMIN_ROLE");
  EXPECT_EQ(ErrorReason(Call("AdminService/ListTeams", "a guess")), "BAD_CREDENTIAL");
  Call("AdminService/ListTeams", "token of reader").IgnoreError();
  EXPECT_EQ(ErrorReason(Call("AdminService/CreateTeam", "token of alice")), "BAD_NAME");
  gateway_.server.reset();
  EXPECT_EQ(Audit(), (std::vector<std::string>{
                         "alice DeleteTeam ADMIN_ROLE", "nobody ListTeams BAD_CREDENTIAL",
                         "alice CreateTeam asked", "alice CreateTeam BAD_NAME of 3"}));
}

TEST_F(AdminRolesTest, WhatCantBeNotedIsNotDone) {
  // Another one's line at the end.
  ASSERT_TRUE(CreateFileAtomically(gateway_.audit_path(), "nonsense\n", FileAccess::kPrivate).ok());
  bool done = false;
  gateway_.registry.put_team = [&done](const admin::v1::Team& team) {
    done = true;
    return team;
  };
  admin::v1::CreateTeamRequest request;
  request.set_name("a team");
  admin::v1::Team team;
  const absl::Status status =
      CallAs("olga", &admin::v1::AdminService::Stub::CreateTeam, request, &team);
  EXPECT_EQ(ErrorReason(status), "AUDIT_DAMAGED") << status;
  EXPECT_FALSE(done);
}

TEST_F(AdminRolesTest, AnAdministratorWhoWasRemovedIsNobodyWithTheNextCall) {
  Call("AdminService/ListTeams", "token of alice").IgnoreError();
  SetAdministrators({{"olga", AdminRole::kOwner}});
  EXPECT_EQ(ErrorReason(Call("AdminService/ListTeams", "token of alice")), "BAD_CREDENTIAL");
  EXPECT_NE(ErrorReason(Call("AdminService/ListTeams", "token of olga")), "BAD_CREDENTIAL");
  std::filesystem::remove(gateway_.administrators_path());
  EXPECT_EQ(ErrorReason(Call("AdminService/ListTeams", "token of olga")), "BAD_CREDENTIAL");
  EXPECT_NE(ErrorReason(Call("AdminService/ListTeams", TestGateway::kAdminToken)),
            "BAD_CREDENTIAL");
}

TEST_F(AdminRolesTest, AFileThatIsNoGoodHasNobodyInIt) {
  for (const auto& [text, access] : std::vector<std::pair<std::string, FileAccess>>{
           {"alice operator", FileAccess::kPrivate}, {"", FileAccess::kPrivate}}) {
    ASSERT_TRUE(ReplaceFileAtomically(gateway_.administrators_path(), text, access).ok());
    EXPECT_EQ(ErrorReason(Call("AdminService/ListTeams", "token of alice")), "BAD_CREDENTIAL");
  }
  const std::string good =
      RenderAdministrators({{{"alice", AdminRole::kOperator}, DigestOfToken("token of alice")}});
  ASSERT_TRUE(
      ReplaceFileAtomically(gateway_.administrators_path(), good, FileAccess::kPublic).ok());
  EXPECT_EQ(ErrorReason(Call("AdminService/ListTeams", "token of alice")), "BAD_CREDENTIAL")
      << "others can read it";
}

}  // namespace
}  // namespace bellwire::gateway
