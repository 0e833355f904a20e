#include "registry/engine/device_cache.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "registry/engine/memory_engine.h"
#include "registry/testing/engine_contract.h"
#include "registry/testing/shared_engine.h"

namespace bellwire::registry {
namespace {

// It is an engine as any other, whatever it has room for.
template <size_t max_bytes>
class CacheUnderTest final : public EngineUnderTest {
 public:
  CacheUnderTest() { Restart(); }
  KvEngine& engine() override { return *cache_; }
  void Restart() override {
    engine_.Crash(MemoryEngine::Unsynced::kLost);
    cache_ = std::make_unique<DeviceCache>(std::make_unique<SharedEngine>(&engine_), max_bytes);
  }

 private:
  MemoryEngine engine_;
  std::unique_ptr<DeviceCache> cache_;
};

template <size_t max_bytes>
std::unique_ptr<EngineUnderTest> NewCache() {
  return std::make_unique<CacheUnderTest<max_bytes>>();
}
INSTANTIATE_TEST_SUITE_P(DeviceCache, EngineContractTest,
                         testing::Values(NewCache<1'000'000>, NewCache<1000>, NewCache<0>));

// Counts what reaches the engine below.
class CountingEngine final : public KvEngine {
 public:
  CountingEngine(MemoryEngine* engine, int* reads) : engine_(*engine), reads_(*reads) {}

  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 absl::string_view key) const override {
    ++reads_;
    return engine_.Get(family, key);
  }
  absl::Status Scan(Family family, absl::string_view from, absl::string_view to,
                    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit)
      const override {
    ++reads_;
    return engine_.Scan(family, from, to, visit);
  }
  absl::Status Commit(const WriteSet& writes) override { return engine_.Commit(writes); }

 private:
  MemoryEngine& engine_;
  int& reads_;
};

class DeviceCacheTest : public testing::Test {
 protected:
  DeviceCacheTest() : cache_(std::make_unique<CountingEngine>(&engine_, &reads_), 1'000'000) {}

  static std::string Key(int device, absl::string_view rest) {
    return absl::StrCat("device ", 100'000'000 + device, rest);
  }
  std::string Value(const std::string& key, Family family = Family::kDevices) {
    const auto value = cache_.Get(family, key);
    EXPECT_TRUE(value.ok());
    return value->value_or("-");
  }
  int Reads() { return std::exchange(reads_, 0); }

  MemoryEngine engine_;
  int reads_ = 0;
  DeviceCache cache_;
};

TEST_F(DeviceCacheTest, ADeviceIsReadOnce) {
  ASSERT_TRUE(engine_.Commit({{{Family::kDevices, Key(1, "a")}, "1"},
                              {{Family::kDevices, Key(1, "c")}, "3"},
                              {{Family::kDevices, Key(2, "a")}, "2"}})
                  .ok());
  EXPECT_EQ(Value(Key(1, "a")), "1");
  EXPECT_EQ(Value(Key(1, "b")), "-") << "what is not there is known, too";
  EXPECT_EQ(Value(Key(1, "c")), "3");
  std::string seen;
  ASSERT_TRUE(cache_
                  .Scan(Family::kDevices, Key(1, "a"), Key(1, "c"),
                        [&](absl::string_view, absl::string_view value) {
                          absl::StrAppend(&seen, value);
                          return true;
                        })
                  .ok());
  EXPECT_EQ(seen, "1");
  EXPECT_EQ(Reads(), 1);
  EXPECT_EQ(Value(Key(2, "a")), "2");
  EXPECT_EQ(Value(Key(1, "a"), Family::kLives), "-");
  EXPECT_EQ(Reads(), 2) << "each device, and each family";
  EXPECT_EQ(Value(Key(1, "a"), Family::kTeams), "-");
  EXPECT_EQ(Value(Key(1, "a"), Family::kTeams), "-");
  EXPECT_EQ(Reads(), 2) << "other families are not held";
}

TEST_F(DeviceCacheTest, ACommitIsSeenWithoutARead) {
  EXPECT_EQ(Value(Key(1, "a")), "-");
  ASSERT_TRUE(cache_.Commit({{{Family::kDevices, Key(1, "a")}, "1"}}).ok());
  EXPECT_EQ(Value(Key(1, "a")), "1");
  ASSERT_TRUE(cache_.Commit({{{Family::kDevices, Key(1, "a")}, std::nullopt}}).ok());
  EXPECT_EQ(Value(Key(1, "a")), "-");
  EXPECT_EQ(Reads(), 1);
}

TEST_F(DeviceCacheTest, AFailedCommitEmptiesIt) {
  EXPECT_EQ(Value(Key(1, "a")), "-");
  engine_.set_fault(MemoryEngine::Fault::kBeforeSync);
  EXPECT_FALSE(cache_.Commit({{{Family::kDevices, Key(1, "a")}, "1"}}).ok());
  engine_.Crash(MemoryEngine::Unsynced::kKept);
  EXPECT_EQ(cache_.bytes(), 0u);
  EXPECT_EQ(Value(Key(1, "a")), "1") << "it was made after all";
}

TEST_F(DeviceCacheTest, ADeviceWithTooMuchIsNotHeld) {
  const std::string half(DeviceCache::kMaxDeviceBytes / 2, 'x');
  ASSERT_TRUE(cache_.Commit({{{Family::kDevices, Key(1, "a")}, half}}).ok());
  EXPECT_EQ(Value(Key(1, "a")), half);
  EXPECT_EQ(Reads(), 1);
  ASSERT_TRUE(cache_.Commit({{{Family::kDevices, Key(1, "b")}, half}}).ok());
  EXPECT_EQ(Value(Key(1, "a")), half);
  EXPECT_EQ(Value(Key(1, "b")), half);
  EXPECT_EQ(Reads(), 2) << "each from below";
  EXPECT_LT(cache_.bytes(), 1000u);
}

TEST_F(DeviceCacheTest, ItsBytesAreBounded) {
  for (int device = 0; device < 100; ++device) {
    ASSERT_TRUE(
        cache_.Commit({{{Family::kDevices, Key(device, "a")}, std::string(50'000, 'x')}}).ok());
    EXPECT_EQ(Value(Key(device, "a")).size(), 50'000u);
    EXPECT_LE(cache_.bytes(), 1'000'000u + DeviceCache::kMaxDeviceBytes);
  }
  Reads();
  EXPECT_EQ(Value(Key(99, "a")).size(), 50'000u);
  EXPECT_EQ(Reads(), 0) << "the last ones are there";
  EXPECT_EQ(Value(Key(0, "a")).size(), 50'000u);
  EXPECT_EQ(Reads(), 1);
}

}  // namespace
}  // namespace bellwire::registry
