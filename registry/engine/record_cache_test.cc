#include "registry/engine/record_cache.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "registry/engine/memory_engine.h"

namespace bellwire::registry {
namespace {

// Counts reads, and fails commits on demand, having done them or not.
class CountingEngine final : public KvEngine {
 public:
  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 absl::string_view key) const override {
    ++reads;
    return memory.Get(family, key);
  }
  absl::Status Scan(Family family, absl::string_view from, absl::string_view to,
                    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit)
      const override {
    return memory.Scan(family, from, to, visit);
  }
  absl::Status Commit(const WriteSet& writes) override {
    if (fail && !fail_after) return absl::UnavailableError("before");
    EXPECT_TRUE(memory.Commit(writes).ok());
    return fail ? absl::UnavailableError("after") : absl::OkStatus();
  }

  mutable int reads = 0;
  bool fail = false;
  bool fail_after = false;
  MemoryEngine memory;
};

class RecordCacheTest : public testing::Test {
 protected:
  static constexpr size_t kMaxBytes = 1000;

  std::optional<std::string> Get(const std::string& key, Family family = Family::kDevices) {
    return *cache_.Get(family, key);
  }
  absl::Status Put(const std::string& key, std::optional<std::string> value,
                   Family family = Family::kDevices) {
    WriteSet writes;
    writes[KvKey{family, key}] = std::move(value);
    return cache_.Commit(writes);
  }

  CountingEngine* const engine_ = new CountingEngine;
  RecordCache cache_{std::unique_ptr<KvEngine>(engine_), Family::kDevices, kMaxBytes};
};

TEST_F(RecordCacheTest, WhatWasWrittenIsNotReadAgain) {
  ASSERT_TRUE(Put("a", "1").ok());
  EXPECT_EQ(Get("a"), "1");
  ASSERT_TRUE(Put("a", "2").ok());
  EXPECT_EQ(Get("a"), "2");
  EXPECT_EQ(engine_->reads, 0);
}

TEST_F(RecordCacheTest, WhatWasReadIsNotReadAgain) {
  WriteSet writes;
  writes[KvKey{Family::kDevices, "a"}] = "1";
  ASSERT_TRUE(engine_->Commit(writes).ok());
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(engine_->reads, 1);
}

TEST_F(RecordCacheTest, WhatWasDeletedIsGone) {
  ASSERT_TRUE(Put("a", "1").ok());
  ASSERT_TRUE(Put("a", std::nullopt).ok());
  EXPECT_EQ(Get("a"), std::nullopt);
  EXPECT_EQ(engine_->reads, 1);
}

TEST_F(RecordCacheTest, WhatWasDeletedInTheOlderGenerationIsGone) {
  ASSERT_TRUE(Put("a", "1").ok());
  ASSERT_TRUE(Put("big", std::string(kMaxBytes / 2, 'x')).ok());
  ASSERT_TRUE(Put("a", std::nullopt).ok());
  EXPECT_EQ(Get("a"), std::nullopt);
}

TEST_F(RecordCacheTest, WhatWasOverwrittenInTheOlderGenerationIsNew) {
  ASSERT_TRUE(Put("a", "1").ok());
  ASSERT_TRUE(Put("big", std::string(kMaxBytes / 2, 'x')).ok());
  ASSERT_TRUE(Put("a", "2").ok());
  EXPECT_EQ(Get("a"), "2");
  ASSERT_TRUE(Put("bigger", std::string(kMaxBytes / 2, 'x')).ok());
  EXPECT_EQ(Get("a"), "2");
}

TEST_F(RecordCacheTest, OtherFamiliesAreNotKept) {
  ASSERT_TRUE(Put("a", "1", Family::kTeams).ok());
  EXPECT_EQ(Get("a", Family::kTeams), "1");
  EXPECT_EQ(Get("a"), std::nullopt);
  EXPECT_EQ(engine_->reads, 2);
  EXPECT_EQ(cache_.bytes(), 0u);
}

TEST_F(RecordCacheTest, WhatOthersWriteIsNotKept) {
  cache_.SetHolds([](absl::string_view key) { return key != "theirs"; });
  ASSERT_TRUE(Put("theirs", "1").ok());
  ASSERT_TRUE(Put("ours", "1").ok());
  EXPECT_EQ(Get("theirs"), "1");
  EXPECT_EQ(engine_->reads, 1);
  EXPECT_EQ(Get("ours"), "1");
  EXPECT_EQ(engine_->reads, 1);
}

TEST_F(RecordCacheTest, AfterAFailedCommitEverythingIsReadAgain) {
  ASSERT_TRUE(Put("a", "1").ok());
  for (const bool after : {false, true}) {
    engine_->fail = true;
    engine_->fail_after = after;
    EXPECT_FALSE(Put("a", "2").ok());
    engine_->fail = false;
    EXPECT_EQ(Get("a"), after ? "2" : "1");
  }
}

TEST_F(RecordCacheTest, HoldsNoMoreThanItMay) {
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(Put(absl::StrCat("key", i), std::string(10, 'x')).ok());
    ASSERT_LE(cache_.bytes(), kMaxBytes + 20);
    EXPECT_EQ(Get("key0").has_value(), true);
  }
  // Used all the time, so never forgotten.
  EXPECT_EQ(engine_->reads, 0);
  Get("key1");
  EXPECT_EQ(engine_->reads, 1);
}

}  // namespace
}  // namespace bellwire::registry
