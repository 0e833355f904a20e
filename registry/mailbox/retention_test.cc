#include "registry/mailbox/retention.h"

#include <array>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"
#include "registry/engine/memory_engine.h"
#include "registry/server/kv_store.h"
#include "registry/testing/shared_engine.h"

namespace bellwire::registry {
namespace {

constexpr char kTeam[] = "teamaaaaaa";
constexpr char kApp[] = "com.example.mail";
constexpr absl::Duration kDay = absl::Hours(24);

// A store that keeps receipts for two days and dead tokens for fifty.
class RetentionTest : public testing::Test {
 protected:
  RetentionTest() {
    Open({.receipts = 2 * kDay, .dead_tokens = 50 * kDay});
    admin::v1::Team team;
    team.set_team_id(kTeam);
    EXPECT_TRUE(store_->PutTeam(team).ok());
    admin::v1::App app;
    app.set_app_id(kApp);
    app.set_team_id(kTeam);
    EXPECT_TRUE(store_->PutApp(app).ok());
    token_ = {device_, store_->RegisterApp(device_, kApp)->registration_id, kTeam};
    EXPECT_TRUE(store_->Commit().ok());
  }

  void Open(const Retention& retention) {
    store_ = std::make_unique<KvStore>(
        std::make_unique<SharedEngine>(&engine_),
        KvStore::Options{.clock = &clock_,
                         .random = [this] { return ++random_ * 0x9e3779b97f4a7c15; },
                         .retention = retention});
  }
  // A message that has ended now.
  MessageId Ended() {
    const MessageId id(std::array<uint8_t, 16>{static_cast<uint8_t>(++messages_)});
    Envelope message;
    message.set_message_id(std::string(id.bytes()));
    message.set_accepted_at_ms(WallNowMs(clock_));
    message.set_expires_at_ms(message.accepted_at_ms() + 3'600'000);
    EXPECT_TRUE(store_->Append(token_, message, {}).ok());
    EXPECT_TRUE(store_->Recall(token_, id).ok());
    EXPECT_TRUE(store_->RelayReceipts(100).ok());
    EXPECT_TRUE(store_->Commit().ok());
    return id;
  }
  void Pass(absl::Duration time) {
    clock_.Advance(time);
    while (true) {
      const auto swept = store_->Sweep(256);
      ASSERT_TRUE(swept.ok()) << swept.status();
      ASSERT_TRUE(store_->Commit().ok());
      if (!swept->more) return;
    }
  }
  bool IsKnown(const MessageId& id) { return store_->GetMessage(token_, id).ok(); }

  SimulatedClock clock_;
  MemoryEngine engine_;
  std::unique_ptr<KvStore> store_;
  const DeviceId device_{std::array<uint8_t, 16>{1}};
  TokenRef token_;
  uint64_t random_ = 0;
  int messages_ = 0;
};

TEST_F(RetentionTest, ReceiptsGoWhenItSaysSo) {
  const MessageId id = Ended();
  Pass(2 * kDay - absl::Minutes(1));
  EXPECT_TRUE(IsKnown(id));
  EXPECT_TRUE(store_->ReadReceipts(kTeam, 0, 10).ok());
  Pass(kReceiptRetentionSlack + absl::Minutes(2));
  EXPECT_FALSE(IsKnown(id));
  const absl::Status old = store_->ReadReceipts(kTeam, 0, 10).status();
  EXPECT_EQ(ErrorReason(old), "CURSOR_TOO_OLD");
  EXPECT_EQ(old.message(),
            "receipts after this cursor have been forgotten already: they are kept for 2 days");
}

TEST_F(RetentionTest, AChangeHoldsForWhatEndsFromThenOn) {
  const MessageId before = Ended();
  Open({.receipts = 10 * kDay});
  const MessageId after = Ended();
  Pass(3 * kDay);
  // Its entry in the timeline came, and was put where it belongs now.
  EXPECT_TRUE(IsKnown(before));
  Pass(7 * kDay + kReceiptRetentionSlack + absl::Minutes(1));
  EXPECT_FALSE(IsKnown(before));
  EXPECT_FALSE(IsKnown(after));
}

TEST_F(RetentionTest, ADeadTokenIsForgottenWhenItSaysSo) {
  ASSERT_TRUE(store_->RemoveApp(device_, kApp, /*owner=*/"", token_.registration_id).ok());
  ASSERT_TRUE(store_->Commit().ok());
  // However long another setting would keep it.
  Open({.dead_tokens = 300 * kDay});
  Pass(50 * kDay - absl::Minutes(1));
  const std::string key = RegistrationKey(device_, token_.registration_id);
  EXPECT_TRUE(engine_.Get(Family::kDevices, key)->has_value());
  Pass(absl::Minutes(2));
  EXPECT_FALSE(engine_.Get(Family::kDevices, key)->has_value());
}

}  // namespace
}  // namespace bellwire::registry
