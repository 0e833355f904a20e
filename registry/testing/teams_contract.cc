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

TEST_P(StoreContractTest, ATeamsSettingsAreWhatTheyWereSetToAndGoWithItsKeys) {
  ASSERT_TRUE(store().PutKey(MakeKey("key1", kTeam)).ok());
  ASSERT_TRUE(store().PutKey(MakeKey("key2", kOtherTeam)).ok());
  EXPECT_FALSE(store().GetKey("key1")->apns_store_one());
  admin::v1::UpdateTeamRequest update;
  update.set_team_id(kTeam);
  update.set_apns_store_one(true);
  const auto updated = store().UpdateTeam(update);
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_TRUE(updated->apns_store_one());
  Commit();
  Restart();
  EXPECT_TRUE(store().GetKey("key1")->apns_store_one());
  EXPECT_FALSE(store().GetKey("key2")->apns_store_one());
  EXPECT_EQ((*store().ListTeams())[0].apns_store_one(), true);

  update.clear_apns_store_one();
  EXPECT_TRUE(store().UpdateTeam(update)->apns_store_one()) << "what is not named stays";
  EXPECT_FALSE(store().RevokeKey("key1")->apns_store_one()) << "it is not the key's own";
  EXPECT_TRUE(store().GetKey("key1")->apns_store_one());
  update.set_apns_store_one(false);
  EXPECT_FALSE(store().UpdateTeam(update)->apns_store_one());
  EXPECT_FALSE(store().GetKey("key1")->apns_store_one());
  update.set_team_id("nobody");
  EXPECT_EQ(ErrorReason(store().UpdateTeam(update).status()), "TEAM_NOT_FOUND");
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

TEST_P(StoreContractTest, AnAliasThatIsDeletedIsFree) {
  const auto alias = [](const std::string& token) {
    admin::v1::Key key;
    key.set_key_id(absl::StrCat(kTeam, "/phone"));
    key.set_team_id(kTeam);
    key.set_kind(admin::v1::Key::ALIAS);
    key.set_device_token(token);
    return key;
  };
  ASSERT_TRUE(store().PutKey(alias("aa")).ok());
  EXPECT_TRUE(store().PutKey(alias("aa")).ok());
  EXPECT_EQ(ErrorReason(store().PutKey(alias("bb")).status()), "ALIAS_EXISTS");
  EXPECT_EQ(store().GetKey(alias("").key_id())->device_token(), "aa");
  EXPECT_EQ(store().RevokeKey(alias("").key_id())->device_token(), "aa");
  EXPECT_EQ(ErrorReason(store().GetKey(alias("").key_id()).status()), "KEY_NOT_FOUND");
  EXPECT_EQ(ErrorReason(store().RevokeKey(alias("").key_id()).status()), "KEY_NOT_FOUND");
  ASSERT_TRUE(store().PutKey(alias("bb")).ok());
  Commit();
  Restart();
  EXPECT_EQ(store().GetKey(alias("").key_id())->device_token(), "bb");
}

TEST_P(StoreContractTest, KeysOfOneKindLeaveRoomForTheOthers) {
  for (size_t i = 0; i < kMaxKeysPerTeam; ++i) {
    ASSERT_TRUE(store().PutKey(MakeKey(absl::StrCat("key", i), kTeam)).ok());
  }
  admin::v1::Key token = MakeKey("onemore", kTeam);
  EXPECT_EQ(ErrorReason(store().PutKey(token).status()), "LIMIT_REACHED");
  token.set_kind(admin::v1::Key::SEND_ONLY);
  EXPECT_TRUE(store().PutKey(token).ok());
}

TEST_P(StoreContractTest, TokensOfADeletedAppAreDead) {
  const TokenRef token = Register(Device(1));
  const TokenRef other = Register(Device(1), kApp2);
  Append(token, Message(1));
  Commit();
  EXPECT_EQ(store().DeleteApp(kApp)->team_id(), kTeam);
  Commit();
  for (const bool restarted : {false, true}) {
    if (restarted) Restart();
    const auto refused = store().Append(token, Message(2), {});
    EXPECT_EQ(ErrorReason(refused.status()), "UNREGISTERED");
    EXPECT_EQ(ErrorReason(store().RegisterApp(Device(1), kApp).status()), "UNKNOWN_APP");
    EXPECT_EQ(store().ListApps(kTeam)->size(), 1);
  }
  // What was accepted before ends as it would have, and the other app goes on.
  EXPECT_EQ(Mailbox(Device(1)), Strings({"1"}));
  Append(other, Message(3));
  EXPECT_EQ(ErrorReason(store().DeleteApp(kApp).status()), "UNKNOWN_APP");
}

TEST_P(StoreContractTest, AnAppUnderADeletedOnesNameIsAnother) {
  const TokenRef old = Register(Device(1));
  ASSERT_TRUE(store().DeleteApp(kApp).ok());
  clock().Advance(absl::Minutes(1));
  admin::v1::App app;
  app.set_app_id(kApp);
  app.set_team_id(kOtherTeam);
  *app.mutable_create_time() = TimeUtil::MillisecondsToTimestamp(NowMs());
  ASSERT_TRUE(store().PutApp(app).ok());
  Commit();
  EXPECT_EQ(ErrorReason(store().Append(old, Message(1), {}).status()), "UNREGISTERED");
  TokenRef now = old;
  now.team_id = kOtherTeam;
  now.registration_id = store().RegisterApp(Device(1), kApp)->registration_id;
  EXPECT_NE(now.registration_id, old.registration_id);
  EXPECT_EQ(store().RegisterApp(Device(1), kApp)->registration_id, now.registration_id);
  Append(now, Message(2));
  EXPECT_EQ(ErrorReason(store().Append(old, Message(3), {}).status()), "UNREGISTERED");

  // The same team may make it again, too.
  ASSERT_TRUE(store().DeleteApp(kApp).ok());
  clock().Advance(absl::Minutes(1));
  *app.mutable_create_time() = TimeUtil::MillisecondsToTimestamp(NowMs());
  ASSERT_TRUE(store().PutApp(app).ok());
  EXPECT_EQ(ErrorReason(store().Append(now, Message(4), {}).status()), "UNREGISTERED");
  EXPECT_NE(store().RegisterApp(Device(1), kApp)->registration_id, now.registration_id);
  Commit();
}

TEST_P(StoreContractTest, ADeletedTeamTakesItsAppsAndKeysWithIt) {
  const TokenRef token = Register(Device(1));
  ASSERT_TRUE(store().PutKey(MakeKey("key1", kTeam)).ok());
  ASSERT_TRUE(store().PutKey(MakeKey("key2", kOtherTeam)).ok());
  Append(token, Message(1, absl::Hours(1)));
  Commit();
  const auto deleted = store().DeleteTeam(kTeam);
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_EQ(TimeUtil::TimestampToMilliseconds(deleted->delete_time()), NowMs());
  Commit();
  Restart();
  ASSERT_EQ(store().ListTeams()->size(), 1);
  EXPECT_EQ((*store().ListTeams())[0].team_id(), kOtherTeam);
  EXPECT_EQ(ErrorReason(store().DeleteTeam(kTeam).status()), "TEAM_NOT_FOUND");
  EXPECT_EQ(ErrorReason(store().ListApps(kTeam).status()), "TEAM_NOT_FOUND");
  EXPECT_EQ(ErrorReason(store().PutKey(MakeKey("key3", kTeam)).status()), "TEAM_NOT_FOUND");
  EXPECT_EQ(ErrorReason(store().GetKey("key1").status()), "KEY_NOT_FOUND");
  EXPECT_TRUE(store().GetKey("key2").ok());
  EXPECT_EQ(ErrorReason(store().Append(token, Message(2), {}).status()), "UNREGISTERED");
  EXPECT_EQ(ErrorReason(store().RegisterApp(Device(1), kApp).status()), "UNKNOWN_APP");
  // Its messages end by their ttl, and the receipts of that still have a place.
  clock().Advance(absl::Hours(2));
  Sweep();
  EXPECT_EQ(Mailbox(Device(1)), Strings());
  ASSERT_TRUE(store().RelayReceipts(100).ok());
  Commit();
  EXPECT_EQ(store().ListTeams()->size(), 1);
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
