// Two registries over one store in memory: what each may write, and what they count together.

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/error.h"
#include "common/simulated_clock.h"
#include "crypto/enrolment_token.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "registry/engine/memory_engine.h"
#include "registry/engine/postgres/pg_status.h"
#include "registry/keys/keys.h"
#include "registry/quotas/quota_book.h"
#include "registry/server/kv_store.h"
#include "registry/testing/shared_engine.h"

namespace bellwire::registry {
namespace {

constexpr char kTeam[] = "teamaaaaaa";
constexpr char kApp[] = "com.example.mail";

class SharedStoreTest : public testing::Test {
 protected:
  // One registry: feed 1 has devices whose last bit is 0, and what is no device's; feed 2 the rest.
  struct Registry {
    std::unique_ptr<KvStore> store;
    KvStore* operator->() const { return store.get(); }
  };

  SharedStoreTest() {
    Open(&home_, 1, {});
    Open(&other_, 2, {});
  }

  void Open(Registry* registry, uint32_t feed, DevicePolicy policy, bool alone = false) {
    const auto owns = [feed, alone](const DeviceId& device) {
      return alone || (device.bytes().back() & 1) == (feed == 1 ? 0 : 1);
    };
    registry->store = std::make_unique<KvStore>(
        std::make_unique<SharedEngine>(&engine_),
        KvStore::Options{
            .clock = &clock_,
            .random = [this] { return ++random_ * 0x9e3779b97f4a7c15; },
            .devices = policy,
            .feeds = {.own = feed, .all = [] { return std::vector<uint32_t>{0, 1, 2}; }},
            .sharing = KvStore::Sharing{
                .check_device =
                    [owns](const DeviceId& device) {
                      return owns(device) ? absl::OkStatus() : NotOwnerError("another one's");
                    },
                .check_home =
                    [feed] {
                      return feed == 1 ? absl::OkStatus() : NotOwnerError("another one's");
                    },
                .owns = owns,
                .epoch = [](const DeviceId&) { return uint64_t{7}; },
                .share = [alone] { return alone ? 1.0 : 0.5; },
                .is_alone = [alone] { return alone; }}});
  }
  void SetUp() override {
    admin::v1::Team team;
    team.set_team_id(kTeam);
    ASSERT_TRUE(home_->PutTeam(team).ok());
    admin::v1::App app;
    app.set_app_id(kApp);
    app.set_team_id(kTeam);
    ASSERT_TRUE(home_->PutApp(app).ok());
    Commit(home_);
  }
  // Commits, with what devices have left for their teams.
  static void Commit(Registry& registry) {
    ASSERT_TRUE(registry->RelayReceipts(1000).ok());
    ASSERT_TRUE(registry->Commit().ok());
  }

  static DeviceId Device(int n) {
    std::array<uint8_t, 16> bytes{};
    bytes[0] = static_cast<uint8_t>(n * 37);
    bytes[15] = static_cast<uint8_t>(n);
    return DeviceId(bytes);
  }
  TokenRef Register(Registry& registry, int device) {
    const auto registered = registry->RegisterApp(Device(device), kApp);
    EXPECT_TRUE(registered.ok()) << registered.status();
    Commit(registry);
    return {Device(device), registered.ok() ? registered->registration_id : 0, kTeam};
  }
  absl::Status Append(Registry& registry, const TokenRef& token) {
    std::array<uint8_t, 16> id{};
    id[0] = static_cast<uint8_t>(++messages_ >> 8);
    id[1] = static_cast<uint8_t>(messages_);
    Envelope message;
    message.set_message_id(std::string(MessageId(id).bytes()));
    message.set_payload("payload");
    message.set_accepted_at_ms(WallNowMs(clock_));
    message.set_expires_at_ms(WallNowMs(clock_) + 3'600'000);
    return registry->Append(token, message, {}).status();
  }
  int Taken(Registry& registry, const TokenRef& token, int count) {
    int taken = 0;
    for (int i = 0; i < count; ++i) taken += Append(registry, token).ok() ? 1 : 0;
    Commit(registry);
    return taken;
  }
  absl::Status Bind(Registry& registry, int device, const std::string& token = "") {
    Route route;
    route.set_connector_address("127.0.0.1:7446");
    route.set_session_id(1);
    route.set_login_number(++login_);
    const absl::Status bound =
        registry->Bind(Device(device), route, {}, {.enrolment_token = token}).status();
    Commit(registry);
    return bound;
  }
  template <typename Set>
  void SetQuota(Set set) {
    admin::v1::SetQuotaRequest request;
    request.mutable_subject()->set_kind(admin::v1::QuotaSubject::TEAM);
    request.mutable_subject()->set_id(kTeam);
    set(*request.mutable_set());
    ASSERT_TRUE(home_->SetQuota(request).ok());
    Commit(home_);
  }
  // Until each has read again what the other counts.
  void LetThemRead() { clock_.Advance(10 * QuotaBook::kOthersAge); }
  size_t RecordsOf(Family family) {
    size_t records = 0;
    EXPECT_TRUE(engine_
                    .Scan(family, "", std::string(64, '\xff'),
                          [&](absl::string_view, absl::string_view) {
                            ++records;
                            return true;
                          })
                    .ok());
    return records;
  }

  SimulatedClock clock_;
  MemoryEngine engine_;
  uint64_t random_ = 0;
  uint64_t login_ = 0;
  int messages_ = 0;
  Registry home_;
  Registry other_;
};

TEST_F(SharedStoreTest, EachDoesWhatIsItsOwn) {
  EXPECT_EQ(ErrorReason(Bind(other_, 2)), "NOT_OWNER");
  EXPECT_TRUE(Bind(home_, 2).ok());
  EXPECT_EQ(ErrorReason(Bind(home_, 1)), "NOT_OWNER");
  admin::v1::Team team;
  team.set_team_id("teambbbbbb");
  EXPECT_EQ(ErrorReason(other_->PutTeam(team).status()), "NOT_OWNER");
  EXPECT_EQ(ErrorReason(other_->DeleteTeam(kTeam).status()), "NOT_OWNER");
  EXPECT_EQ(ErrorReason(other_->SetQuota({}).status()), "NOT_OWNER");
  EXPECT_EQ(ErrorReason(other_->PutEnrolment({}).status()), "NOT_OWNER");
  EXPECT_TRUE(other_->ListApps(kTeam).ok()) << "all read what is everybody's";
}

TEST_F(SharedStoreTest, ADayIsOneDay) {
  SetQuota([](admin::v1::Quota& quota) { quota.set_messages_per_day(10); });
  const TokenRef even = Register(home_, 2), odd = Register(other_, 1);
  EXPECT_EQ(Taken(home_, even, 6), 6);
  EXPECT_EQ(Taken(other_, odd, 6), 4);
  LetThemRead();
  EXPECT_EQ(Taken(home_, even, 6), 0);
  const auto quotas = home_->GetQuota(kTeam);
  ASSERT_TRUE(quotas.ok());
  EXPECT_EQ(quotas->quotas(0).usage().messages_today(), 10);
}

TEST_F(SharedStoreTest, WhatWaitsIsOneSumThoughDevicesMove) {
  const TokenRef even = Register(home_, 2), odd = Register(other_, 1);
  EXPECT_EQ(Taken(home_, even, 3), 3);
  EXPECT_EQ(Taken(other_, odd, 3), 3);
  LetThemRead();
  const int64_t six = home_->GetQuota(kTeam)->quotas(0).usage().bytes_waiting();
  EXPECT_EQ(Taken(home_, even, 6), 6);
  EXPECT_EQ(home_->GetQuota(kTeam)->quotas(0).usage().bytes_waiting(), 2 * six);
}

TEST_F(SharedStoreTest, ARateIsSharedAndWhoIsAloneWithItHasAllOfIt) {
  SetQuota([](admin::v1::Quota& quota) { quota.set_messages_per_second(20); });
  const TokenRef even = Register(home_, 2), odd = Register(other_, 1);
  EXPECT_EQ(Taken(home_, even, 40), 10);
  EXPECT_EQ(Taken(other_, odd, 40), 10);
  // The other one is silent for some time.
  for (int i = 0; i < 3; ++i) {
    LetThemRead();
    Taken(home_, even, 1);
  }
  clock_.Advance(absl::Seconds(2));
  EXPECT_EQ(Taken(home_, even, 40), 20);
}

TEST_F(SharedStoreTest, DevicesAreCountedTogetherAndListedEachByItsRegistry) {
  for (int device = 0; device < 7; ++device) {
    EXPECT_TRUE(Bind(device % 2 == 0 ? home_ : other_, device).ok());
  }
  clock_.Advance(absl::Seconds(2));
  const auto at_home = home_->ListDevices(std::nullopt, 100);
  const auto at_other = other_->ListDevices(std::nullopt, 100);
  ASSERT_TRUE(at_home.ok() && at_other.ok());
  EXPECT_EQ(at_home->total(), 7u);
  EXPECT_EQ(at_other->total(), 7u);
  EXPECT_EQ(at_home->devices_size(), 4);
  EXPECT_EQ(at_other->devices_size(), 3);
}

TEST_F(SharedStoreTest, AnEnrolmentTokenLetsInAsManyAsItSays) {
  Open(&home_, 1, {.enrolled_only = true});
  Open(&other_, 2, {.enrolled_only = true});
  const std::string token = NewEnrolmentToken("enrolmenta");
  admin::v1::Enrolment enrolment;
  enrolment.set_enrolment_id("enrolmenta");
  enrolment.set_devices(2);
  enrolment.set_token_sha256(HashEnrolmentToken(token));
  *enrolment.mutable_expire_time() =
      google::protobuf::util::TimeUtil::MillisecondsToTimestamp(WallNowMs(clock_) + 3'600'000);
  ASSERT_TRUE(home_->PutEnrolment(enrolment).ok());
  Commit(home_);
  EXPECT_TRUE(Bind(other_, 1, token).ok());
  EXPECT_TRUE(Bind(home_, 2, token).ok());
  EXPECT_EQ(ErrorReason(Bind(other_, 3, token)), "BAD_ENROLMENT");
  EXPECT_EQ(ErrorReason(Bind(home_, 4, token)), "BAD_ENROLMENT");
  EXPECT_EQ(home_->ListEnrolments()->at(0).used(), 2u);
}

TEST_F(SharedStoreTest, ATopicThatBothKnowIsOneTopic) {
  const TokenRef even = Register(home_, 2), odd = Register(other_, 1);
  const auto subscribe = [](Registry& registry, const TokenRef& token, const std::string& topic,
                            bool subscribed) {
    const auto change = registry->ChangeSubscription(token.device, token.registration_id, kTeam,
                                                     topic, subscribed);
    EXPECT_TRUE(change.ok()) << change.status();
    Commit(registry);
  };
  subscribe(home_, even, "news", true);
  subscribe(other_, odd, "news", true);
  subscribe(other_, odd, "sports", true);
  const auto topics = [this] {
    LetThemRead();
    return home_->GetQuota(kTeam)->quotas(0).usage().topics();
  };
  EXPECT_EQ(topics(), 2);
  subscribe(home_, even, "news", false);
  EXPECT_EQ(topics(), 2);
  subscribe(other_, odd, "news", false);
  EXPECT_EQ(topics(), 1);
}

TEST_F(SharedStoreTest, ADeletedTeamsRecordsGoOnceARegistryIsAlone) {
  const TokenRef even = Register(home_, 2), odd = Register(other_, 1);
  EXPECT_EQ(Taken(home_, even, 2), 2);
  EXPECT_EQ(Taken(other_, odd, 2), 2);
  EXPECT_GT(RecordsOf(Family::kFeeds), 1u) << "each has receipts in its feed";
  ASSERT_TRUE(home_->DeleteTeam(kTeam).ok());
  Commit(home_);
  const auto sweep = [this] {
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(home_->Sweep(1000).ok());
      Commit(home_);
    }
  };
  const size_t devices = RecordsOf(Family::kDevices);
  sweep();
  EXPECT_EQ(RecordsOf(Family::kDevices), devices) << "the other one's are not to be touched";
  // It has all devices from now on.
  other_.store = nullptr;
  Open(&home_, 1, {}, /*alone=*/true);
  sweep();
  EXPECT_LT(RecordsOf(Family::kDevices), devices);
  EXPECT_EQ(RecordsOf(Family::kFeeds), 0u);
  EXPECT_EQ(RecordsOf(Family::kTeams), 0u) << "what it used as well, in each feed";
}

}  // namespace
}  // namespace bellwire::registry
