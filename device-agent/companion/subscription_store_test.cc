#include "device-agent/companion/subscription_store.h"

#include <sys/stat.h>

#include <string>

#include "common/error.h"
#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"

namespace bellwire::companion {
namespace {

Subscription Full(const std::string& instance) {
  Subscription subscription;
  subscription.instance = instance;
  subscription.owner = "org.example.App";
  subscription.vapid_key = std::string("\x04\0\xff", 3);
  subscription.note = std::string("a\0b", 3);
  subscription.endpoint = "https://push.example.com/wpush/1";
  return subscription;
}

void ExpectSame(const Subscription& a, const Subscription& b) {
  EXPECT_EQ(a.instance, b.instance);
  EXPECT_EQ(a.owner, b.owner);
  EXPECT_EQ(a.vapid_key, b.vapid_key);
  EXPECT_EQ(a.note, b.note);
  EXPECT_EQ(a.endpoint, b.endpoint);
}

TEST(SubscriptionStoreTest, KeepsEverythingAcrossRestarts) {
  TempDir dir;
  const std::string path = dir.path("subscriptions.db");
  {
    auto store = SubscriptionStore::Open(path);
    ASSERT_TRUE(store.ok()) << store.status();
    ASSERT_TRUE((*store)->Put(Full("up:b")).ok());
    ASSERT_TRUE((*store)->Put(Full("up:a")).ok());
    ASSERT_TRUE((*store)->Put(Full("up:c")).ok());
    ASSERT_TRUE((*store)->SetEndpoint("up:a", "https://other.example/wpush/2").ok());
    ASSERT_TRUE((*store)->SetDying("up:b").ok());
    ASSERT_TRUE((*store)->Remove("up:c").ok());
  }
  struct stat info;
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);

  auto store = SubscriptionStore::Open(path);
  ASSERT_TRUE(store.ok()) << store.status();
  const auto entries = (*store)->Load();
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 2u);
  Subscription a = Full("up:a");
  a.endpoint = "https://other.example/wpush/2";
  ExpectSame((*entries)[0].subscription, a);
  EXPECT_FALSE((*entries)[0].dying);
  ExpectSame((*entries)[1].subscription, Full("up:b"));
  EXPECT_TRUE((*entries)[1].dying);
}

TEST(SubscriptionStoreTest, PuttingItAgainReplacesIt) {
  TempDir dir;
  auto store = SubscriptionStore::Open(dir.path("subscriptions.db"));
  ASSERT_TRUE(store.ok()) << store.status();
  ASSERT_TRUE((*store)->Put(Full("up:a")).ok());
  ASSERT_TRUE((*store)->SetDying("up:a").ok());
  Subscription other = Full("up:a");
  other.owner = "org.example.Other";
  other.note = "new";
  ASSERT_TRUE((*store)->Put(other).ok());
  const auto entries = (*store)->Load();
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 1u);
  ExpectSame((*entries)[0].subscription, other);
  EXPECT_FALSE((*entries)[0].dying);
}

TEST(SubscriptionStoreTest, IsForOneProcessAlone) {
  TempDir dir;
  const std::string path = dir.path("subscriptions.db");
  auto first = SubscriptionStore::Open(path);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(ErrorReason(SubscriptionStore::Open(path).status()), "DATABASE_IN_USE");
}

TEST(SubscriptionStoreTest, LeavesTheFileOfALaterVersionAlone) {
  TempDir dir;
  const std::string path = dir.path("subscriptions.db");
  {
    auto db = agent::Database::Open(path);
    ASSERT_TRUE(db.ok()) << db.status();
    ASSERT_TRUE((*db)->Execute("PRAGMA user_version = 2").ok());
  }
  EXPECT_EQ(ErrorReason(SubscriptionStore::Open(path).status()), "DATABASE_TOO_NEW");
}

}  // namespace
}  // namespace bellwire::companion
