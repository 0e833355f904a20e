// AdminService as `bellwire team|app|key` meet it: over gRPC and TLS.

#include "gateway/admin/admin_service.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bellwire/admin/v1/backup.grpc.pb.h"
#include "common/error.h"
#include "common/limits.h"
#include "crypto/provider_key.h"
#include "gateway/auth/access_token.h"
#include "gateway/testing/test_gateway.h"
#include "gtest/gtest.h"
#include "rpc/grpc_status.h"

namespace bellwire::gateway {
namespace {

class AdminServiceTest : public ::testing::Test {
 protected:
  AdminServiceTest() {
    gateway_.registry.put_team = [](const admin::v1::Team& team) { return team; };
    gateway_.registry.put_app = [](const admin::v1::App& app) { return app; };
    gateway_.registry.put_key = [](const admin::v1::Key& key) { return key; };
  }

  template <typename Method, typename Request, typename Response>
  absl::Status Call(Method method, const Request& request, Response* response) {
    return FromGrpcStatus(
        (gateway_.admin()->*method)(gateway_.AdminContext().get(), request, response));
  }

  absl::Status CreateTeam(const std::string& name, admin::v1::Team* team) {
    admin::v1::CreateTeamRequest request;
    request.set_name(name);
    return Call(&admin::v1::AdminService::Stub::CreateTeam, request, team);
  }
  absl::Status CreateApp(const std::string& app_id, admin::v1::OverflowPolicy policy,
                         admin::v1::App* app) {
    admin::v1::CreateAppRequest request;
    request.set_team_id("teamteam22");
    request.set_app_id(app_id);
    request.set_overflow_policy(policy);
    return Call(&admin::v1::AdminService::Stub::CreateApp, request, app);
  }
  absl::Status CreateKey(const std::string& public_key_pem,
                         admin::v1::CreateKeyResponse* response) {
    admin::v1::CreateKeyRequest request;
    request.set_team_id("teamteam22");
    request.set_public_key_pem(public_key_pem);
    return Call(&admin::v1::AdminService::Stub::CreateKey, request, response);
  }

  TestGateway gateway_;
};

void ExpectInvalid(const absl::Status& status, absl::string_view reason, absl::string_view field) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(ErrorReason(status), reason) << status;
  EXPECT_EQ(ErrorField(status).value_or(""), field) << status;
}

bool IsShortId(const std::string& id) {
  return id.size() == 10 &&
         id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") == std::string::npos;
}

TEST_F(AdminServiceTest, EveryMethodWantsTheAdminToken) {
  using Stub = admin::v1::AdminService::Stub;
  const auto reason_without = [this](auto method, auto request, auto response) {
    grpc::ClientContext context;
    const absl::Status status =
        FromGrpcStatus((gateway_.admin()->*method)(&context, request, &response));
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
    return ErrorReason(status);
  };
  const auto reason_with_wrong = [this](auto method, auto request, auto response) {
    const auto context = gateway_.ContextWith("the admin tokem");
    const absl::Status status =
        FromGrpcStatus((gateway_.admin()->*method)(context.get(), request, &response));
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
    return ErrorReason(status);
  };
  const auto check = [&](auto method, auto request, auto response) {
    EXPECT_EQ(reason_without(method, request, response), "MISSING_CREDENTIAL");
    EXPECT_EQ(reason_with_wrong(method, request, response), "BAD_CREDENTIAL");
  };
  namespace v1 = admin::v1;
  check(&Stub::CreateTeam, v1::CreateTeamRequest(), v1::Team());
  check(&Stub::ListTeams, v1::ListTeamsRequest(), v1::ListTeamsResponse());
  check(&Stub::CreateApp, v1::CreateAppRequest(), v1::App());
  check(&Stub::ListApps, v1::ListAppsRequest(), v1::ListAppsResponse());
  check(&Stub::CreateKey, v1::CreateKeyRequest(), v1::CreateKeyResponse());
  check(&Stub::ListKeys, v1::ListKeysRequest(), v1::ListKeysResponse());
  check(&Stub::RevokeKey, v1::RevokeKeyRequest(), v1::Key());
  check(&Stub::UpdateTeam, v1::UpdateTeamRequest(), v1::Team());
  check(&Stub::DeleteTeam, v1::DeleteTeamRequest(), v1::Team());
  check(&Stub::DeleteApp, v1::DeleteAppRequest(), v1::App());
}

TEST_F(AdminServiceTest, AProvidersJwtAdministersNothing) {
  admin::v1::ListTeamsResponse response;
  const absl::Status status = FromGrpcStatus(gateway_.admin()->ListTeams(
      gateway_.Context().get(), admin::v1::ListTeamsRequest(), &response));
  EXPECT_EQ(ErrorReason(status), "BAD_CREDENTIAL");
}

TEST_F(AdminServiceTest, CreateTeamMakesAnId) {
  admin::v1::Team team;
  const absl::Status status = CreateTeam("Mail", &team);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(IsShortId(team.team_id())) << team.team_id();
  EXPECT_EQ(team.name(), "Mail");
  EXPECT_EQ(team.create_time().seconds(), absl::ToUnixSeconds(gateway_.clock.WallNow()));
}

TEST_F(AdminServiceTest, CreateTeamWantsAName) {
  admin::v1::Team team;
  ExpectInvalid(CreateTeam("", &team), "BAD_NAME", "name");
  ExpectInvalid(CreateTeam(std::string(kMaxTeamNameBytes + 1, 'n'), &team), "BAD_NAME", "name");
  EXPECT_TRUE(CreateTeam(std::string(kMaxTeamNameBytes, 'n'), &team).ok());
}

TEST_F(AdminServiceTest, CreateApp) {
  admin::v1::App app;
  const absl::Status status =
      CreateApp("com.example.mail", admin::v1::OVERFLOW_POLICY_UNSPECIFIED, &app);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(app.app_id(), "com.example.mail");
  EXPECT_EQ(app.team_id(), "teamteam22");
  EXPECT_EQ(app.overflow_policy(), admin::v1::DROP_OLDEST);
  ASSERT_TRUE(CreateApp("com.example.mail", admin::v1::REFUSE_NEWEST, &app).ok());
  EXPECT_EQ(app.overflow_policy(), admin::v1::REFUSE_NEWEST);

  for (const char* bad : {"", "mail", "com..mail", "com.example mail"}) {
    ExpectInvalid(CreateApp(bad, admin::v1::DROP_ALL, &app), "BAD_APP_ID", "app_id");
  }
  ExpectInvalid(CreateApp("com.example.mail", static_cast<admin::v1::OverflowPolicy>(9), &app),
                "BAD_OVERFLOW_POLICY", "overflow_policy");
}

TEST_F(AdminServiceTest, CreateKeyMakesAPairAndShowsItOnce) {
  admin::v1::Key stored;
  gateway_.registry.put_key = [&stored](const admin::v1::Key& key) {
    stored = key;
    return key;
  };
  admin::v1::CreateKeyResponse response;
  const absl::Status status = CreateKey("", &response);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(IsShortId(response.key().key_id()));
  EXPECT_EQ(response.key().team_id(), "teamteam22");
  EXPECT_TRUE(absl::StrContains(response.private_key_pem(), "PRIVATE KEY"));
  EXPECT_TRUE(absl::StrContains(response.key().public_key_pem(), "PUBLIC KEY"));
  EXPECT_FALSE(absl::StrContains(stored.DebugString(), "PRIVATE"));
}

TEST_F(AdminServiceTest, CreateKeyTakesTheCallersOwn) {
  const std::string own = GenerateProviderKeyPair()->public_key_pem;
  admin::v1::CreateKeyResponse response;
  ASSERT_TRUE(CreateKey(own, &response).ok());
  EXPECT_EQ(response.key().public_key_pem(), own);
  EXPECT_EQ(response.private_key_pem(), "");

  ExpectInvalid(CreateKey("not a key", &response), "BAD_PUBLIC_KEY", "public_key_pem");
  ExpectInvalid(CreateKey(GenerateProviderKeyPair()->private_key_pem, &response), "BAD_PUBLIC_KEY",
                "public_key_pem");
  ExpectInvalid(CreateKey(std::string(kMaxPublicKeyPemBytes + 1, 'x'), &response), "BAD_PUBLIC_KEY",
                "public_key_pem");
}

TEST_F(AdminServiceTest, AnAccessTokenIsAnsweredOnceAndStoredHashed) {
  admin::v1::Key stored;
  gateway_.registry.put_key = [&stored](const admin::v1::Key& key) { return stored = key; };
  admin::v1::CreateKeyRequest request;
  request.set_team_id("teamteam22");
  request.set_send_only(true);
  admin::v1::CreateKeyResponse response;
  using Stub = admin::v1::AdminService::Stub;
  ASSERT_TRUE(Call(&Stub::CreateKey, request, &response).ok());
  const std::string token = response.access_token();
  EXPECT_EQ(KeyIdOfAccessToken(token), response.key().key_id());
  EXPECT_EQ(response.key().kind(), admin::v1::Key::SEND_ONLY);
  EXPECT_EQ(response.private_key_pem(), "");
  EXPECT_TRUE(AccessTokenMatches(token, stored.token_sha256()));
  EXPECT_FALSE(absl::StrContains(stored.SerializeAsString(), token));
  // Nobody needs the hash.
  EXPECT_EQ(response.key().token_sha256(), "");
  gateway_.registry.list_keys = [&stored](const admin::v1::ListKeysRequest&) {
    admin::v1::ListKeysResponse keys;
    *keys.add_keys() = stored;
    return keys;
  };
  gateway_.registry.revoke_key = [&stored](const admin::v1::RevokeKeyRequest&) { return stored; };
  admin::v1::ListKeysResponse keys;
  ASSERT_TRUE(Call(&Stub::ListKeys, admin::v1::ListKeysRequest(), &keys).ok());
  EXPECT_EQ(keys.keys(0).kind(), admin::v1::Key::SEND_ONLY);
  EXPECT_EQ(keys.keys(0).token_sha256(), "");
  admin::v1::Key revoked;
  ASSERT_TRUE(Call(&Stub::RevokeKey, admin::v1::RevokeKeyRequest(), &revoked).ok());
  EXPECT_EQ(revoked.token_sha256(), "");

  request.set_public_key_pem("a key");
  ExpectInvalid(Call(&Stub::CreateKey, request, &response), "BAD_PUBLIC_KEY", "public_key_pem");
}

TEST_F(AdminServiceTest, AServiceAccountIsAPublicKeyAndWhatItsFileNames) {
  admin::v1::Key stored;
  gateway_.registry.put_key = [&stored](const admin::v1::Key& key) { return stored = key; };
  admin::v1::CreateKeyRequest request;
  request.set_team_id("teamteam22");
  request.set_fcm(true);
  request.set_public_key_pem(GenerateServiceAccountKeyPair()->public_key_pem);
  admin::v1::CreateKeyResponse response;
  using Stub = admin::v1::AdminService::Stub;
  const absl::Status status = Call(&Stub::CreateKey, request, &response);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(stored.kind(), admin::v1::Key::FCM);
  EXPECT_EQ(stored.public_key_pem(), request.public_key_pem());
  EXPECT_EQ(response.private_key_pem(), "");
  EXPECT_EQ(response.client_email(),
            absl::StrCat(stored.key_id(), "@teamteam22.bellwire.internal"));
  EXPECT_EQ(response.token_uri(), "https://push.example.com/oauth2/token");

  // The server makes no such key, and takes no other.
  request.clear_public_key_pem();
  ExpectInvalid(Call(&Stub::CreateKey, request, &response), "BAD_PUBLIC_KEY", "public_key_pem");
  request.set_public_key_pem(GenerateProviderKeyPair()->public_key_pem);
  ExpectInvalid(Call(&Stub::CreateKey, request, &response), "BAD_PUBLIC_KEY", "public_key_pem");
  request.set_send_only(true);
  ExpectInvalid(Call(&Stub::CreateKey, request, &response), "BAD_PUBLIC_KEY", "send_only");
  // Nor does it take one of RSA to sign JWTs.
  ExpectInvalid(CreateKey(stored.public_key_pem(), &response), "BAD_PUBLIC_KEY", "public_key_pem");
}

TEST_F(AdminServiceTest, AliasesNameTokensOfThisServer) {
  admin::v1::Key stored;
  gateway_.registry.put_key = [&stored](const admin::v1::Key& key) { return stored = key; };
  admin::v1::CreateAliasRequest request;
  request.set_team_id("teamteam22");
  request.set_name("phone");
  request.set_token(gateway_.Token());
  admin::v1::Alias alias;
  using Stub = admin::v1::AdminService::Stub;
  ASSERT_TRUE(Call(&Stub::CreateAlias, request, &alias).ok());
  EXPECT_EQ(stored.key_id(), "teamteam22/phone");
  EXPECT_EQ(stored.kind(), admin::v1::Key::ALIAS);
  EXPECT_EQ(alias.name(), "phone");
  EXPECT_EQ(alias.team_id(), "teamteam22");
  EXPECT_EQ(alias.token(), gateway_.Token());
  EXPECT_TRUE(alias.has_create_time());

  gateway_.registry.list_keys = [&stored](const admin::v1::ListKeysRequest&) {
    admin::v1::ListKeysResponse keys;
    keys.add_keys()->set_key_id("signing");
    *keys.add_keys() = stored;
    return keys;
  };
  admin::v1::ListAliasesResponse aliases;
  ASSERT_TRUE(Call(&Stub::ListAliases, admin::v1::ListAliasesRequest(), &aliases).ok());
  ASSERT_EQ(aliases.aliases_size(), 1);
  EXPECT_EQ(aliases.aliases(0).name(), "phone");
  admin::v1::ListKeysResponse keys;
  ASSERT_TRUE(Call(&Stub::ListKeys, admin::v1::ListKeysRequest(), &keys).ok());
  ASSERT_EQ(keys.keys_size(), 1);
  EXPECT_EQ(keys.keys(0).key_id(), "signing");

  request.set_name("No Name");
  ExpectInvalid(Call(&Stub::CreateAlias, request, &alias), "BAD_ALIAS", "name");
  request.set_name("phone");
  request.set_token("00ff");
  ExpectInvalid(Call(&Stub::CreateAlias, request, &alias), "BAD_DEVICE_TOKEN", "token");
}

TEST_F(AdminServiceTest, AnAliasIsDeletedByItsName) {
  gateway_.registry.revoke_key =
      [](const admin::v1::RevokeKeyRequest& request) -> absl::StatusOr<admin::v1::Key> {
    if (request.key_id() != "teamteam22/phone") {
      return MakeError(absl::StatusCode::kNotFound, "KEY_NOT_FOUND", "no such key");
    }
    admin::v1::Key key;
    key.set_key_id(request.key_id());
    key.set_team_id("teamteam22");
    return key;
  };
  admin::v1::DeleteAliasRequest request;
  request.set_team_id("teamteam22");
  request.set_name("phone");
  admin::v1::Alias alias;
  using Stub = admin::v1::AdminService::Stub;
  ASSERT_TRUE(Call(&Stub::DeleteAlias, request, &alias).ok());
  EXPECT_EQ(alias.name(), "phone");
  for (const char* name : {"tablet", "../phone", ""}) {
    request.set_name(name);
    EXPECT_EQ(ErrorReason(Call(&Stub::DeleteAlias, request, &alias)), "ALIAS_NOT_FOUND") << name;
  }
  // Not by another way: that would skip what is logged of it.
  admin::v1::RevokeKeyRequest revoke;
  revoke.set_key_id("teamteam22/phone");
  admin::v1::Key key;
  EXPECT_EQ(ErrorReason(Call(&Stub::RevokeKey, revoke, &key)), "KEY_NOT_FOUND");
}

TEST_F(AdminServiceTest, TheRegistrysErrorsPass) {
  gateway_.registry.put_app = [](const admin::v1::App&) -> absl::StatusOr<admin::v1::App> {
    return MakeError(absl::StatusCode::kAlreadyExists, "APP_EXISTS", "taken");
  };
  gateway_.registry.put_key = [](const admin::v1::Key&) -> absl::StatusOr<admin::v1::Key> {
    return MakeError(absl::StatusCode::kNotFound, "TEAM_NOT_FOUND", "no such team");
  };
  gateway_.registry.revoke_key =
      [](const admin::v1::RevokeKeyRequest&) -> absl::StatusOr<admin::v1::Key> {
    return MakeError(absl::StatusCode::kNotFound, "KEY_NOT_FOUND", "no such key");
  };
  gateway_.registry.put_team = [](const admin::v1::Team&) -> absl::StatusOr<admin::v1::Team> {
    return absl::UnavailableError("down");
  };
  admin::v1::App app;
  EXPECT_EQ(ErrorReason(CreateApp("com.example.mail", admin::v1::DROP_ALL, &app)), "APP_EXISTS");
  admin::v1::CreateKeyResponse key_response;
  EXPECT_EQ(ErrorReason(CreateKey("", &key_response)), "TEAM_NOT_FOUND");
  EXPECT_EQ(key_response.private_key_pem(), "");
  admin::v1::Key key;
  EXPECT_EQ(ErrorReason(Call(&admin::v1::AdminService::Stub::RevokeKey,
                             admin::v1::RevokeKeyRequest(), &key)),
            "KEY_NOT_FOUND");
  admin::v1::Team team;
  EXPECT_EQ(ErrorReason(CreateTeam("Mail", &team)), "REGISTRY_UNAVAILABLE");
}

TEST_F(AdminServiceTest, ABackupIsTheRegistrysAndSaysWhyItFails) {
  gateway_.registry.backup = [](const admin::v1::BackupRequest& request) {
    admin::v1::BackupResponse response;
    response.set_directory("/backup/" + request.directory());
    return response;
  };
  admin::v1::BackupService::Stub backups(gateway_.NewChannel());
  admin::v1::BackupRequest request;
  request.set_directory("monday");
  admin::v1::BackupResponse made;
  ASSERT_TRUE(backups.Backup(gateway_.AdminContext().get(), request, &made).ok());
  EXPECT_EQ(made.directory(), "/backup/monday");
  EXPECT_EQ(ErrorReason(FromGrpcStatus(backups.Backup(gateway_.Context().get(), request, &made))),
            "BAD_CREDENTIAL");
  gateway_.registry.backup =
      [](const admin::v1::BackupRequest&) -> absl::StatusOr<admin::v1::BackupResponse> {
    return MakeError(absl::StatusCode::kFailedPrecondition, "BACKUP_FAILED", "no space left");
  };
  const absl::Status full =
      FromGrpcStatus(backups.Backup(gateway_.AdminContext().get(), request, &made));
  EXPECT_EQ(ErrorReason(full), "BACKUP_FAILED");
  EXPECT_EQ(full.message(), "no space left");
}

TEST_F(AdminServiceTest, WhatSealsPayloadsIsTheRegistrysWord) {
  gateway_.registry.get_payload_keys = [](const admin::v1::GetPayloadKeysRequest&) {
    admin::v1::GetPayloadKeysResponse response;
    response.add_stores()->set_current_key_id("0123456789abcdef");
    return response;
  };
  admin::v1::BackupService::Stub backups(gateway_.NewChannel());
  admin::v1::GetPayloadKeysResponse keys;
  ASSERT_TRUE(backups
                  .GetPayloadKeys(gateway_.AdminContext().get(),
                                  admin::v1::GetPayloadKeysRequest(), &keys)
                  .ok());
  EXPECT_EQ(keys.stores(0).current_key_id(), "0123456789abcdef");
}

TEST_F(AdminServiceTest, CountsAreTheSumOfAllParts) {
  std::vector<std::string> cursors;
  gateway_.registry.count_records = [&](const internal::v1::CountRecordsRequest& request)
      -> absl::StatusOr<internal::v1::CountRecordsResponse> {
    cursors.push_back(request.cursor());
    if (request.of().team_id() != "one") {
      return MakeError(absl::StatusCode::kNotFound, "TEAM_NOT_FOUND", "there is none");
    }
    internal::v1::CountRecordsResponse part;
    part.mutable_counts()->set_tokens(2);
    part.mutable_counts()->set_deleted(request.cursor().empty());
    if (cursors.size() < 3) part.set_next_cursor(absl::StrCat("d", cursors.size()));
    return part;
  };
  admin::v1::CountRecordsRequest request;
  request.set_team_id("one");
  admin::v1::RecordCounts counts;
  ASSERT_TRUE(Call(&admin::v1::AdminService::Stub::CountRecords, request, &counts).ok());
  EXPECT_EQ(counts.tokens(), 6u);
  EXPECT_TRUE(counts.deleted());
  EXPECT_EQ(cursors, (std::vector<std::string>{"", "d1", "d2"}));
  request.set_team_id("two");
  EXPECT_EQ(ErrorReason(Call(&admin::v1::AdminService::Stub::CountRecords, request, &counts)),
            "TEAM_NOT_FOUND");
}

TEST_F(AdminServiceTest, ListsAndRevocationPassThrough) {
  gateway_.registry.list_teams = [](const admin::v1::ListTeamsRequest&) {
    admin::v1::ListTeamsResponse response;
    response.add_teams()->set_team_id("one");
    return response;
  };
  gateway_.registry.list_apps = [](const admin::v1::ListAppsRequest& request) {
    admin::v1::ListAppsResponse response;
    response.add_apps()->set_app_id("app of " + request.team_id());
    return response;
  };
  gateway_.registry.list_keys = [](const admin::v1::ListKeysRequest& request) {
    admin::v1::ListKeysResponse response;
    response.add_keys()->set_key_id("key of " + request.team_id());
    return response;
  };
  gateway_.registry.revoke_key = [](const admin::v1::RevokeKeyRequest& request) {
    admin::v1::Key key;
    key.set_key_id(request.key_id());
    key.mutable_revoke_time()->set_seconds(1);
    return key;
  };
  using Stub = admin::v1::AdminService::Stub;
  admin::v1::ListTeamsResponse teams;
  ASSERT_TRUE(Call(&Stub::ListTeams, admin::v1::ListTeamsRequest(), &teams).ok());
  EXPECT_EQ(teams.teams(0).team_id(), "one");
  admin::v1::ListAppsRequest apps_request;
  apps_request.set_team_id("t");
  admin::v1::ListAppsResponse apps;
  ASSERT_TRUE(Call(&Stub::ListApps, apps_request, &apps).ok());
  EXPECT_EQ(apps.apps(0).app_id(), "app of t");
  admin::v1::ListKeysRequest keys_request;
  keys_request.set_team_id("t");
  admin::v1::ListKeysResponse keys;
  ASSERT_TRUE(Call(&Stub::ListKeys, keys_request, &keys).ok());
  EXPECT_EQ(keys.keys(0).key_id(), "key of t");
  admin::v1::RevokeKeyRequest revoke;
  revoke.set_key_id("k");
  admin::v1::Key key;
  ASSERT_TRUE(Call(&Stub::RevokeKey, revoke, &key).ok());
  EXPECT_EQ(key.key_id(), "k");
  EXPECT_TRUE(key.has_revoke_time());
}

TEST_F(AdminServiceTest, ASettingOfATeamIsChanged) {
  gateway_.registry.update_team = [](const admin::v1::UpdateTeamRequest& request) {
    admin::v1::Team team;
    team.set_team_id(request.team_id());
    team.set_apns_store_one(request.apns_store_one());
    return team;
  };
  admin::v1::UpdateTeamRequest update;
  update.set_team_id("t");
  update.set_apns_store_one(true);
  admin::v1::Team team;
  ASSERT_TRUE(Call(&admin::v1::AdminService::Stub::UpdateTeam, update, &team).ok());
  EXPECT_EQ(team.team_id(), "t");
  EXPECT_TRUE(team.apns_store_one());
}

TEST_F(AdminServiceTest, DeletionsPassThrough) {
  gateway_.registry.delete_team = [](const admin::v1::DeleteTeamRequest& request) {
    admin::v1::Team team;
    team.set_team_id(request.team_id());
    team.mutable_delete_time()->set_seconds(1);
    return team;
  };
  gateway_.registry.delete_app =
      [](const admin::v1::DeleteAppRequest&) -> absl::StatusOr<admin::v1::App> {
    return MakeError(absl::StatusCode::kNotFound, "UNKNOWN_APP", "no such app");
  };
  using Stub = admin::v1::AdminService::Stub;
  admin::v1::DeleteTeamRequest delete_team;
  delete_team.set_team_id("t");
  admin::v1::Team team;
  ASSERT_TRUE(Call(&Stub::DeleteTeam, delete_team, &team).ok());
  EXPECT_EQ(team.team_id(), "t");
  EXPECT_TRUE(team.has_delete_time());
  admin::v1::App app;
  EXPECT_EQ(ErrorReason(Call(&Stub::DeleteApp, admin::v1::DeleteAppRequest(), &app)),
            "UNKNOWN_APP");
}

}  // namespace
}  // namespace bellwire::gateway
