#include "registry/sealing/sealed_engine.h"

#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"
#include "registry/engine/memory_engine.h"
#include "registry/engine/overlay.h"
#include "registry/keys/keys.h"
#include "registry/sealing/payload_state.h"
#include "registry/testing/engine_contract.h"
#include "registry/testing/shared_engine.h"

namespace bellwire::registry {
namespace {

constexpr Family kFamilies[] = {Family::kDevices, Family::kLives,    Family::kTeams,
                                Family::kNames,   Family::kTimeline, Family::kOutbox,
                                Family::kFeeds,   Family::kTopics};

std::unique_ptr<SealedEngine> OpenOver(KvEngine* engine, const Clock* clock,
                                       const std::vector<uint8_t>& keys) {
  auto sealed = SealedEngine::Open(std::make_unique<SharedEngine>(engine),
                                   {.clock = clock, .keys = PayloadKeys::ForTesting(keys)});
  EXPECT_TRUE(sealed.ok()) << sealed.status();
  return sealed.ok() ? *std::move(sealed) : nullptr;
}

class SealedEngineUnderTest final : public EngineUnderTest {
 public:
  SealedEngineUnderTest() { Restart(); }
  KvEngine& engine() override { return *sealed_; }
  void Restart() override {
    memory_.Crash(MemoryEngine::Unsynced::kLost);
    sealed_ = OpenOver(&memory_, &clock_, {1});
  }

 private:
  SimulatedClock clock_;
  MemoryEngine memory_;
  std::unique_ptr<SealedEngine> sealed_;
};

INSTANTIATE_TEST_SUITE_P(Sealed, EngineContractTest, testing::Values([] {
                           return std::make_unique<SealedEngineUnderTest>();
                         }));

class SealedEngineTest : public testing::Test {
 protected:
  using Rows = std::map<std::pair<Family, std::string>, std::string>;

  static DeviceId Device(int n) {
    // Spread as digests are.
    return DeviceId(std::array<uint8_t, 16>{static_cast<uint8_t>(n * 37), static_cast<uint8_t>(n)});
  }
  static std::string Text(int n) { return absl::StrCat("secret ", n); }

  // The process dies and comes back.
  void Open(const std::vector<uint8_t>& keys) {
    memory_.Crash(MemoryEngine::Unsynced::kLost);
    sealed_ = OpenOver(&memory_, &clock_, keys);
    ASSERT_NE(sealed_, nullptr);
  }
  std::string WhyNot(const std::vector<uint8_t>& keys) {
    const auto sealed =
        SealedEngine::Open(std::make_unique<SharedEngine>(&memory_),
                           {.clock = &clock_, .keys = PayloadKeys::ForTesting(keys)});
    return ErrorReason(sealed.status());
  }
  // Messages `first` to `last`, one a device, through `engine`; every seventh is scheduled, and
  // every eleventh is a topic message instead.
  static void Fill(KvEngine* engine, int first, int last) {
    WriteSet writes;
    for (int n = first; n <= last; ++n) writes.try_emplace(KeyOf(n), Text(n));
    for (int n = first; n <= last; ++n) {
      writes.try_emplace(KvKey{Family::kDevices, DeviceRecordKey(Device(n))}, "device");
    }
    ASSERT_TRUE(engine->Commit(writes).ok());
  }
  static KvKey KeyOf(int n) {
    const MessageId id(std::array<uint8_t, 16>{1, static_cast<uint8_t>(n)});
    if (n % 11 == 0) return {Family::kTopics, TopicMessageKey("teamaaaaaa", id)};
    if (n % 7 == 0) return {Family::kDevices, ScheduledKey(Device(n), 1000, {id, 5})};
    return {Family::kDevices, MailboxKey(Device(n), static_cast<uint64_t>(n))};
  }
  void ExpectReads(int first, int last) {
    for (int n = first; n <= last; ++n) {
      const KvKey key = KeyOf(n);
      const auto value = sealed_->Get(key.family, key.key);
      ASSERT_TRUE(value.ok()) << n << value.status();
      EXPECT_EQ(value->value_or("nothing"), Text(n));
    }
  }
  // One step of the chore, and its commit.
  bool Step() {
    Overlay staged(sealed_.get());
    ChoreBudget budget(&clock_);
    const absl::StatusOr<bool> more = sealed_->Step(&staged, &budget);
    EXPECT_TRUE(more.ok()) << more.status();
    EXPECT_TRUE(sealed_->CommitInPlace(staged.mutable_writes()).ok());
    return more.ok() && *more;
  }
  void Finish() {
    int steps = 0;
    while (Step()) ASSERT_LT(++steps, 1000);
  }
  Rows Below() const {
    Rows rows;
    for (const Family family : kFamilies) {
      EXPECT_TRUE(memory_
                      .Scan(family, "", std::string(64, '\xff'),
                            [&](absl::string_view key, absl::string_view value) {
                              rows[{family, std::string(key)}] = std::string(value);
                              return true;
                            })
                      .ok());
    }
    return rows;
  }
  // How many records below are sealed with this key, and how many payloads are in the clear.
  std::pair<size_t, size_t> CountBelow(uint8_t key) const {
    const auto keys = PayloadKeys::ForTesting({key});
    std::pair<size_t, size_t> counts;
    for (const auto& [place, value] : Below()) {
      if (!HoldsPayload(place.first, place.second)) {
        EXPECT_FALSE(RecordSeal::KeyIdOf(value).has_value());
        continue;
      }
      counts.first += RecordSeal::KeyIdOf(value) == keys->newest().id ? 1 : 0;
      counts.second += absl::StrContains(value, "secret") ? 1 : 0;
    }
    return counts;
  }
  using Counts = std::pair<size_t, size_t>;

  SimulatedClock clock_;
  MemoryEngine memory_;
  std::unique_ptr<SealedEngine> sealed_;
};

TEST_F(SealedEngineTest, ANewStoreHasNoPayloadInTheClear) {
  Open({1});
  Fill(sealed_.get(), 1, 100);
  EXPECT_EQ(CountBelow(1), Counts(100, 0));
  ExpectReads(1, 100);
  EXPECT_FALSE(Step()) << "there is nothing to be sealed anew";
  EXPECT_TRUE(sealed_->Describe().has_end_time());
  EXPECT_FALSE(sealed_->Describe().clear_payloads());
  size_t scanned = 0;
  ASSERT_TRUE(sealed_
                  ->Scan(Family::kDevices, "", std::string(64, '\xff'),
                         [&](absl::string_view, absl::string_view value) {
                           EXPECT_TRUE(value == "device" || absl::StartsWith(value, "secret"));
                           ++scanned;
                           return true;
                         })
                  .ok());
  EXPECT_EQ(scanned, 100u + 91u);
}

TEST_F(SealedEngineTest, AWrongKeyIsAnErrorAndNothingIsChanged) {
  Open({1});
  Fill(sealed_.get(), 1, 10);
  const Rows before = Below();
  EXPECT_EQ(WhyNot({2}), "PAYLOAD_KEY_MISSING");
  EXPECT_EQ(WhyNot({3, 2}), "PAYLOAD_KEY_MISSING");
  EXPECT_EQ(Below(), before);
  const auto state = ReadPayloadState(memory_);
  ASSERT_TRUE(state.ok());
  const absl::Status without = CheckPayloadKeys(*state, nullptr);
  EXPECT_EQ(ErrorReason(without), "PAYLOAD_KEY_MISSING");
  EXPECT_TRUE(absl::StrContains(without.message(), PayloadKeyName((*state)->current())))
      << without;
  EXPECT_EQ(WhyNot({2, 1}), "");
}

TEST_F(SealedEngineTest, SwappedAndForeignRecordsAreNeverServed) {
  Open({1});
  Fill(sealed_.get(), 1, 3);
  const KvKey one = KeyOf(1), two = KeyOf(2), three = KeyOf(3);
  const Rows rows = Below();
  ASSERT_TRUE(memory_.Commit({{one, rows.at({two.family, two.key})},
                              {two, rows.at({one.family, one.key})},
                              {three, "secret of somebody else"}})
                  .ok());
  for (const KvKey& key : {one, two, three}) {
    std::string storage;
    EXPECT_TRUE(absl::IsDataLoss(sealed_->Get(key.family, key.key).status()));
    EXPECT_TRUE(absl::IsDataLoss(sealed_->View(key.family, key.key, &storage).status()));
    EXPECT_TRUE(absl::IsDataLoss(sealed_->Scan(key.family, key.key, key.key + '\0',
                                               [](absl::string_view, absl::string_view) {
                                                 ADD_FAILURE() << "it was served";
                                                 return true;
                                               })));
  }
}

TEST_F(SealedEngineTest, AnExistingStoreIsSealedInTheBackground) {
  Fill(&memory_, 1, 200);
  Open({1});
  EXPECT_TRUE(sealed_->Describe().clear_payloads());
  ExpectReads(1, 200);
  // What comes meanwhile is sealed at once, wherever the chore is.
  Step();
  Fill(sealed_.get(), 201, 250);
  ExpectReads(1, 250);
  Finish();
  EXPECT_EQ(CountBelow(1), Counts(250, 0));
  ExpectReads(1, 250);
  EXPECT_FALSE(sealed_->Describe().clear_payloads());
  EXPECT_EQ(sealed_->Describe().records_resealed(), 200u);
}

// A crash after each step of a rotation, with writes in between.
TEST_F(SealedEngineTest, ARotationSurvivesCrashesAnywhere) {
  Open({1});
  Fill(sealed_.get(), 1, 150);
  int next = 151;
  bool more = true;
  for (int steps = 0; more; ++steps) {
    ASSERT_LT(steps, 5000);
    Open({2, 1});
    more = Step();
    if (next <= 250) {
      Fill(sealed_.get(), next, next);
      ++next;
    }
    if (steps % 32 == 0) ExpectReads(1, next - 1);
    if (more && steps % 32 == 0) {
      EXPECT_EQ(WhyNot({2}), "PAYLOAD_KEY_MISSING") << "the old key is needed still";
      EXPECT_EQ(WhyNot({1}), "PAYLOAD_KEY_MISSING") << "the new one too";
    }
  }
  EXPECT_EQ(CountBelow(1), Counts(0, 0));
  EXPECT_EQ(CountBelow(2), Counts(next - 1, 0));
  Open({2});
  ExpectReads(1, next - 1);
  EXPECT_EQ(sealed_->Describe().former_key_ids_size(), 0);
}

TEST_F(SealedEngineTest, AFailedCommitLosesNothing) {
  Open({1});
  Fill(sealed_.get(), 1, 50);
  Open({2, 1});
  for (const auto unsynced : {MemoryEngine::Unsynced::kLost, MemoryEngine::Unsynced::kKept}) {
    for (int steps = 0; steps < 5; ++steps) {
      Overlay staged(sealed_.get());
      ChoreBudget budget(&clock_);
      ASSERT_TRUE(sealed_->Step(&staged, &budget).ok());
      memory_.set_fault(MemoryEngine::Fault::kBeforeSync);
      EXPECT_FALSE(sealed_->CommitInPlace(staged.mutable_writes()).ok());
      memory_.set_fault(MemoryEngine::Fault::kNone);
      // The engine comes back under the store that was open, as RocksDbEngine does.
      memory_.Crash(unsynced);
      Fill(sealed_.get(), 51 + steps, 51 + steps);
      ExpectReads(1, 51 + steps);
    }
  }
  Finish();
  EXPECT_EQ(CountBelow(2), Counts(55, 0));
  Open({2});
  ExpectReads(1, 55);
}

TEST_F(SealedEngineTest, ANewKeyInTheFileIsNoticedAndABadFileIsNot) {
  std::shared_ptr<const PayloadKeys> newer;
  auto sealed = SealedEngine::Open(
      std::make_unique<SharedEngine>(&memory_),
      {.clock = &clock_,
       .keys = PayloadKeys::ForTesting({1}),
       .newer_keys = [&newer] { return std::exchange(newer, nullptr); }});
  ASSERT_TRUE(sealed.ok()) << sealed.status();
  sealed_ = *std::move(sealed);
  Fill(sealed_.get(), 1, 20);
  // It lacks the key that is in use.
  newer = PayloadKeys::ForTesting({2});
  clock_.Advance(SealedEngine::kRefreshInterval);
  Finish();
  Fill(sealed_.get(), 21, 21);
  EXPECT_EQ(CountBelow(1), Counts(21, 0));
  newer = PayloadKeys::ForTesting({2, 1});
  clock_.Advance(SealedEngine::kRefreshInterval);
  EXPECT_TRUE(Step());
  // And a third one while the rotation goes on.
  Fill(sealed_.get(), 22, 22);
  newer = PayloadKeys::ForTesting({3, 2, 1});
  clock_.Advance(SealedEngine::kRefreshInterval);
  EXPECT_TRUE(Step());
  EXPECT_EQ(sealed_->Describe().former_key_ids_size(), 2);
  Finish();
  EXPECT_EQ(CountBelow(3), Counts(22, 0));
  EXPECT_EQ(sealed_->Describe().unneeded_key_ids_size(), 2);
  ExpectReads(1, 22);
}

TEST_F(SealedEngineTest, OldVersionsAreForgottenLast) {
  std::vector<OldVersions> answers = {OldVersions::kGone, OldVersions::kRewriting,
                                      OldVersions::kLeaving};
  Fill(&memory_, 1, 20);
  auto sealed = SealedEngine::Open(std::make_unique<SharedEngine>(&memory_),
                                   {.clock = &clock_,
                                    .keys = PayloadKeys::ForTesting({1}),
                                    .forget_old_versions = [&]() -> absl::StatusOr<OldVersions> {
                                      EXPECT_EQ(CountBelow(1), Counts(20, 0));
                                      const OldVersions answer = answers.back();
                                      answers.pop_back();
                                      return answer;
                                    }});
  ASSERT_TRUE(sealed.ok()) << sealed.status();
  sealed_ = *std::move(sealed);
  Finish();
  EXPECT_TRUE(answers.empty());
  EXPECT_FALSE(sealed_->Describe().old_files());
}

}  // namespace
}  // namespace bellwire::registry
