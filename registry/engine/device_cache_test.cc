#include "registry/engine/device_cache.h"

#include <malloc.h>

#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
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
    cache_ =
        std::make_unique<DeviceCache>(std::make_unique<SharedEngine>(&engine_), nullptr, max_bytes);
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
class CountingEngine final : public KvEngine, public DeviceReader {
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
  absl::Status ReadDevices(
      absl::Span<const std::string> devices, size_t max_bytes,
      absl::FunctionRef<void(Family family, const std::string& device, DeviceRecords records)>
          visit) const override {
    ++reads_;
    for (const std::string& device : devices) {
      for (const Family family : {Family::kDevices, Family::kLives}) {
        DeviceRecords records;
        size_t bytes = 0;
        BELLWIRE_RETURN_IF_ERROR(engine_.Scan(family, device, device + std::string(64, '\xff'),
                                              [&](absl::string_view key, absl::string_view value) {
                                                bytes += key.size() + value.size();
                                                records.complete = bytes <= max_bytes;
                                                if (records.complete)
                                                  records.records.emplace(key, value);
                                                return records.complete;
                                              }));
        visit(family, device, std::move(records));
      }
    }
    return absl::OkStatus();
  }

 private:
  MemoryEngine& engine_;
  int& reads_;
};

class DeviceCacheTest : public testing::Test {
 protected:
  // Without a reader: each family of a device is a read.
  DeviceCacheTest()
      : cache_(std::make_unique<CountingEngine>(&engine_, &reads_), nullptr, 1'000'000) {}

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
  ASSERT_TRUE(engine_
                  .Commit({{{Family::kDevices, Key(1, "a")}, "1"},
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

// Others write to the rest.
TEST_F(DeviceCacheTest, HoldsOnlyDevicesThatItOwns) {
  cache_.SetOwns([](absl::string_view device) { return device == Key(1, ""); });
  EXPECT_EQ(Value(Key(1, "a")), "-");
  EXPECT_EQ(Value(Key(2, "a")), "-");
  Reads();
  ASSERT_TRUE(engine_.Commit({{{Family::kDevices, Key(2, "a")}, "theirs"}}).ok());
  EXPECT_EQ(Value(Key(2, "a")), "theirs");
  EXPECT_EQ(Reads(), 1);
  EXPECT_EQ(Value(Key(1, "a")), "-");
  EXPECT_EQ(Reads(), 0);
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

// Over an engine that reads many devices at once.
class PrefetchTest : public DeviceCacheTest {
 protected:
  PrefetchTest() {
    auto engine = std::make_unique<CountingEngine>(&engine_, &reads_);
    const DeviceReader* const reader = engine.get();
    prefetching_.emplace(std::move(engine), reader, 100'000'000);
  }

  // 16 bytes.
  static std::string Id(int device) { return Key(device, ""); }
  std::string ValueOf(const std::string& key, Family family = Family::kDevices) {
    const auto value = prefetching_->Get(family, key);
    EXPECT_TRUE(value.ok());
    return value->value_or("-");
  }

  std::optional<DeviceCache> prefetching_;
};

TEST_F(PrefetchTest, ManyDevicesAreOneRead) {
  std::vector<std::string> devices;
  for (int n = 0; n < 1000; ++n) {
    ASSERT_TRUE(engine_
                    .Commit({{{Family::kDevices, Key(n, "a")}, absl::StrCat(n)},
                             {{Family::kLives, Key(n, "l")}, "life"}})
                    .ok());
    devices.push_back(Id(n));
    devices.push_back(Id(n));
  }
  prefetching_->Prefetch(devices);
  EXPECT_EQ(Reads(), 1);
  for (int n = 0; n < 1000; ++n) {
    ASSERT_EQ(ValueOf(Key(n, "a")), absl::StrCat(n));
    ASSERT_EQ(ValueOf(Key(n, "b")), "-");
    ASSERT_EQ(ValueOf(Key(n, "l"), Family::kLives), "life");
  }
  EXPECT_EQ(Reads(), 0);
  prefetching_->Prefetch(devices);
  EXPECT_EQ(Reads(), 0) << "all of it is here";
  EXPECT_EQ(prefetching_->counts().hits.value(), 3000u);
  EXPECT_EQ(prefetching_->counts().misses.value(), 0u);
}

TEST_F(PrefetchTest, AColdDeviceIsOneRead) {
  EXPECT_EQ(ValueOf(Key(1, "a")), "-");
  EXPECT_EQ(ValueOf(Key(1, "l"), Family::kLives), "-");
  EXPECT_EQ(Reads(), 1);
}

TEST_F(PrefetchTest, WhatWasCommittedMeanwhileIsNotOverwritten) {
  ASSERT_TRUE(engine_.Commit({{{Family::kDevices, Key(1, "a")}, "old"}}).ok());
  EXPECT_EQ(ValueOf(Key(1, "a")), "old");
  ASSERT_TRUE(prefetching_->Commit({{{Family::kDevices, Key(1, "a")}, "new"}}).ok());
  prefetching_->Prefetch({Id(1), Id(2)});
  EXPECT_EQ(ValueOf(Key(1, "a")), "new");
}

TEST_F(PrefetchTest, ALargeDeviceIsReadByItself) {
  const std::string large(DeviceCache::kMaxPrefetchBytes, 'x');
  ASSERT_TRUE(engine_.Commit({{{Family::kDevices, Key(1, "a")}, large}}).ok());
  prefetching_->Prefetch({Id(1), Id(2)});
  EXPECT_EQ(Reads(), 1);
  EXPECT_EQ(ValueOf(Key(2, "a")), "-");
  EXPECT_EQ(Reads(), 0);
  EXPECT_EQ(ValueOf(Key(1, "a")), large);
  EXPECT_EQ(Reads(), 2) << "once more together, then alone";
  EXPECT_EQ(ValueOf(Key(1, "a")), large);
  EXPECT_EQ(Reads(), 0);
}

// --database_cache_mib is about memory. A device as most are: its own record, an app, a
// registration, a message and a life.
TEST_F(PrefetchTest, ItsBytesAreThoseOfTheHeap) {
  constexpr int kDevices = 20'000;
  std::vector<std::string> devices;
  for (int n = 0; n < kDevices; ++n) {
    ASSERT_TRUE(
        engine_
            .Commit({{{Family::kDevices, Key(n, "D")}, std::string(90, 'd')},
                     {{Family::kDevices, Key(n, "Acom.example.mail")}, "12345678"},
                     {{Family::kDevices, Key(n, "R12345678")}, std::string(120, 'r')},
                     {{Family::kDevices, Key(n, "M12345678")}, std::string(200, 'm')},
                     {{Family::kLives, Key(n, std::string(24, 'l'))}, std::string(60, 'l')}})
            .ok());
    devices.push_back(Id(n));
  }
  const size_t before = mallinfo2().uordblks;
  prefetching_->Prefetch(devices);
  const size_t after = mallinfo2().uordblks;
  const double measured = static_cast<double>(after - before) / kDevices;
  const double said = static_cast<double>(prefetching_->bytes()) / kDevices;
  RecordProperty("bytes_per_device", static_cast<int>(measured));
  std::cout << "bytes a device: " << measured << ", accounted: " << said << std::endl;
  EXPECT_GT(said, measured * 0.85);
  EXPECT_LT(said, measured * 1.25);
}

}  // namespace
}  // namespace bellwire::registry
