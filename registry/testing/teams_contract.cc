// What a Store promises of teams, their apps and their keys. Part of StoreContractTest.

#include <string>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "google/protobuf/util/time_util.h"
#include "registry/testing/store_contract.h"

namespace bellwire::registry {
namespace {

using google::protobuf::util::TimeUtil;

admin::v1::Key MakeKey(const std::string& key_id, const std::string& team_id) {
  admin::v1::Key key;
  key.set_key_id(key_id);
  key.set_team_id(team_id);
  key.set_public_key_pem("pem");
  return key;
}

TEST_P(StoreContractTest, TeamsAppsAndKeysSurviveARestart) {
  ASSERT_TRUE(store().PutKey(MakeKey("key1", kTeam)).ok());
  ASSERT_TRUE(store().PutKey(MakeKey("key2", kTeam)).ok());
  Commit();
  Restart();
  const auto teams = *store().ListTeams();
  ASSERT_EQ(teams.size(), 2);
  EXPECT_EQ(teams[0].team_id(), kTeam);
  EXPECT_EQ(teams[1].team_id(), kOtherTeam);
  const auto apps = *store().ListApps(kTeam);
  ASSERT_EQ(apps.size(), 2);
  EXPECT_EQ(apps[0].app_id(), kApp2);
  EXPECT_EQ(apps[1].app_id(), kApp);
  EXPECT_TRUE(store().ListApps(kOtherTeam)->empty());
  EXPECT_EQ(store().ListKeys(kTeam)->size(), 2);
  EXPECT_EQ(store().GetKey("key1")->team_id(), kTeam);
  EXPECT_EQ(ErrorReason(store().GetKey("key3").status()), "KEY_NOT_FOUND");
}

TEST_P(StoreContractTest, AnUnknownTeamHasNothing) {
  EXPECT_EQ(ErrorReason(store().ListApps("nobody").status()), "TEAM_NOT_FOUND");
  EXPECT_EQ(ErrorReason(store().ListKeys("nobody").status()), "TEAM_NOT_FOUND");
  EXPECT_EQ(ErrorReason(store().PutKey(MakeKey("key1", "nobody")).status()), "TEAM_NOT_FOUND");
  admin::v1::App app;
  app.set_app_id("com.example.new");
  app.set_team_id("nobody");
  EXPECT_EQ(ErrorReason(store().PutApp(app).status()), "TEAM_NOT_FOUND");
}

TEST_P(StoreContractTest, NamesAreUniqueOnTheServerAndRetriesAreHarmless) {
  admin::v1::App app;
  app.set_app_id("com.example.new");
  app.set_team_id(kTeam);
  app.mutable_create_time()->set_seconds(1);
  ASSERT_TRUE(store().PutApp(app).ok());
  EXPECT_TRUE(store().PutApp(app).ok());
  app.mutable_create_time()->set_seconds(2);
  EXPECT_EQ(ErrorReason(store().PutApp(app).status()), "APP_EXISTS");
  app.set_team_id(kOtherTeam);
  EXPECT_EQ(ErrorReason(store().PutApp(app).status()), "APP_EXISTS");
  ASSERT_TRUE(store().PutKey(MakeKey("key1", kTeam)).ok());
  EXPECT_TRUE(store().PutKey(MakeKey("key1", kTeam)).ok());
  EXPECT_EQ(ErrorReason(store().PutKey(MakeKey("key1", kOtherTeam)).status()), "KEY_EXISTS");
  admin::v1::Team team;
  team.set_team_id(kTeam);
  team.set_name("Another team");
  EXPECT_EQ(ErrorReason(store().PutTeam(team).status()), "TEAM_EXISTS");
}

TEST_P(StoreContractTest, AKeyIsRevokedOnce) {
  ASSERT_TRUE(store().PutKey(MakeKey("key1", kTeam)).ok());
  const admin::v1::Key revoked = *store().RevokeKey("key1");
  EXPECT_EQ(TimeUtil::TimestampToMilliseconds(revoked.revoke_time()), NowMs());
  clock().Advance(absl::Hours(1));
  EXPECT_EQ(store().RevokeKey("key1")->SerializeAsString(), revoked.SerializeAsString());
  EXPECT_EQ(store().GetKey("key1")->SerializeAsString(), revoked.SerializeAsString());
  EXPECT_EQ(ErrorReason(store().RevokeKey("key2").status()), "KEY_NOT_FOUND");
}

TEST_P(StoreContractTest, KeysAndAppsOfATeamAreLimited) {
  for (size_t i = 0; i < kMaxKeysPerTeam; ++i) {
    ASSERT_TRUE(store().PutKey(MakeKey(absl::StrCat("key", i), kTeam)).ok());
  }
  EXPECT_EQ(ErrorReason(store().PutKey(MakeKey("onemore", kTeam)).status()), "LIMIT_REACHED");
  EXPECT_TRUE(store().PutKey(MakeKey("onemore", kOtherTeam)).ok());
}

}  // namespace
}  // namespace bellwire::registry
