// One team sends to thousands of made-up phones, on a disk that is soon full. A store that was
// attacked so was full after 5 s, and every other team's Sends were UNAVAILABLE.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"
#include "registry/engine/memory_engine.h"
#include "registry/engine/store_error.h"
#include "registry/quotas/limits.h"
#include "registry/server/kv_store.h"

namespace bellwire::registry {
namespace {

constexpr int kPhones = 2500;
constexpr int kMessagesOfPhone = 30;
constexpr uint64_t kDiskBytes = 24 << 20;

// An engine on a disk of kDiskBytes, which refuses what it has no room for.
class SmallDiskEngine final : public KvEngine {
 public:
  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 absl::string_view key) const override {
    return engine_.Get(family, key);
  }
  absl::Status Scan(Family family, absl::string_view from, absl::string_view to,
                    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit)
      const override {
    return engine_.Scan(family, from, to, visit);
  }
  absl::Status Commit(const WriteSet& writes) override {
    int64_t more = 0;
    for (const auto& [key, change] : writes) {
      const auto found = sizes_.find(key);
      more -= found == sizes_.end() ? 0 : found->second;
      if (change.value.has_value()) more += SizeOf(key, *change.value);
    }
    if (more > 0 && taken_ + more > static_cast<int64_t>(kDiskBytes)) {
      return StoreUnavailableError("the disk is full");
    }
    const absl::Status status = engine_.Commit(writes);
    if (!status.ok()) return status;
    taken_ += more;
    for (const auto& [key, change] : writes) {
      if (change.value.has_value()) {
        sizes_[key] = SizeOf(key, *change.value);
      } else {
        sizes_.erase(key);
      }
    }
    return status;
  }
  uint64_t free_bytes() const { return kDiskBytes - static_cast<uint64_t>(taken_); }

 private:
  static int64_t SizeOf(const KvKey& key, const std::string& value) {
    return static_cast<int64_t>(key.key.size() + value.size());
  }

  MemoryEngine engine_;
  absl::btree_map<KvKey, int64_t, KvKeyLess> sizes_;
  int64_t taken_ = 0;
};

class FullDiskTest : public testing::Test {
 protected:
  FullDiskTest() {
    auto engine = std::make_unique<SmallDiskEngine>();
    const SmallDiskEngine* const disk = engine.get();
    store_ = std::make_unique<KvStore>(
        std::move(engine),
        KvStore::Options{.clock = &clock_,
                         .random = [this] { return ++random_ * 0x9e3779b97f4a7c15; },
                         .free_bytes = [disk]() -> std::optional<uint64_t> {
                           return disk->free_bytes();
                         }});
    for (const std::string team_id : {"noisyaaaaa", "quietaaaaa"}) {
      admin::v1::Team team;
      team.set_team_id(team_id);
      EXPECT_TRUE(store_->PutTeam(team).ok());
      admin::v1::App app;
      app.set_app_id(absl::StrCat("com.example.", team_id));
      app.set_team_id(team_id);
      EXPECT_TRUE(store_->PutApp(app).ok());
    }
    EXPECT_TRUE(store_->Commit().ok());
  }

  // The reason of the first error of sending 4 KiB to each of so many new phones; "": none.
  std::string SendTo(const std::string& team_id, int phones, int messages, char first_byte) {
    for (int phone = 0; phone < phones; ++phone) {
      std::array<uint8_t, 16> bytes = {static_cast<uint8_t>(first_byte),
                                       static_cast<uint8_t>(phone >> 8),
                                       static_cast<uint8_t>(phone)};
      const DeviceId device(bytes);
      const auto registered = store_->RegisterApp(device, absl::StrCat("com.example.", team_id));
      if (!registered.ok()) return ErrorReason(registered.status());
      const TokenRef token = {device, registered->registration_id, team_id};
      for (int i = 0; i < messages; ++i) {
        Envelope message;
        std::string id(MessageId::kSize, '\0');
        id[0] = static_cast<char>(i);
        message.set_message_id(id);
        message.set_payload(std::string(4096, 'x'));
        message.set_accepted_at_ms(WallNowMs(clock_));
        message.set_expires_at_ms(WallNowMs(clock_) + 3'600'000);
        const absl::Status status = store_->Append(token, message, {}).status();
        if (!status.ok()) return ErrorReason(status);
      }
      if (const absl::Status status = store_->Commit(); !status.ok()) return ErrorReason(status);
      // Time passes: the room on the disk is looked at again.
      clock_.Advance(absl::Milliseconds(20));
    }
    return "";
  }

  SimulatedClock clock_;
  uint64_t random_ = 0;
  std::unique_ptr<KvStore> store_;
};

TEST_F(FullDiskTest, OneTeamDoesNotFillEverybodysDisk) {
  EXPECT_EQ(SendTo("noisyaaaaa", kPhones, kMessagesOfPhone, 'n'), "QUOTA_EXCEEDED");
  // The other has room for a lot, and is refused nothing.
  EXPECT_EQ(SendTo("quietaaaaa", 20, kMessagesOfPhone, 'q'), "");
  const auto noisy = store_->GetQuota("noisyaaaaa");
  ASSERT_TRUE(noisy.ok());
  EXPECT_LT(noisy->quotas(0).usage().bytes_waiting(), int64_t{kDiskBytes} / 3);
}

// What the quota is for.
TEST_F(FullDiskTest, WithoutALimitItDoes) {
  admin::v1::SetQuotaRequest request;
  request.mutable_subject()->set_kind(admin::v1::QuotaSubject::TEAM);
  request.mutable_subject()->set_id("noisyaaaaa");
  request.mutable_set()->set_bytes_waiting(kNoLimit);
  ASSERT_TRUE(store_->SetQuota(request).ok());
  ASSERT_TRUE(store_->Commit().ok());
  EXPECT_EQ(SendTo("noisyaaaaa", kPhones, kMessagesOfPhone, 'n'), "REGISTRY_UNAVAILABLE");
  EXPECT_NE(SendTo("quietaaaaa", 20, kMessagesOfPhone, 'q'), "");
}

}  // namespace
}  // namespace bellwire::registry
