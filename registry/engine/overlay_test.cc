#include "registry/engine/overlay.h"

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "registry/engine/memory_engine.h"

namespace bellwire::registry {
namespace {

using Row = std::pair<std::string, std::string>;

std::vector<Row> ScanAll(const KvReader& reader, absl::string_view from, absl::string_view to,
                         size_t limit = 100) {
  std::vector<Row> rows;
  EXPECT_TRUE(reader
                  .Scan(Family::kDevices, from, to,
                        [&](absl::string_view key, absl::string_view value) {
                          rows.emplace_back(key, value);
                          return rows.size() < limit;
                        })
                  .ok());
  return rows;
}

class OverlayTest : public testing::Test {
 protected:
  OverlayTest() {
    Overlay seed(&engine_);
    for (const char* key : {"b", "d", "f"}) seed.Put(Family::kDevices, key, "base");
    seed.Put(Family::kTeams, "c", "other family");
    EXPECT_TRUE(engine_.Commit(seed.writes()).ok());
  }

  MemoryEngine engine_;
};

TEST_F(OverlayTest, MergesStagedAndBaseInOrder) {
  Overlay overlay(&engine_);
  overlay.Put(Family::kDevices, "a", "new");
  overlay.Put(Family::kDevices, "d", "changed");
  overlay.Delete(Family::kDevices, "f");
  overlay.Put(Family::kDevices, "g", "new");
  EXPECT_EQ(ScanAll(overlay, "a", "z"),
            (std::vector<Row>{{"a", "new"}, {"b", "base"}, {"d", "changed"}, {"g", "new"}}));
  EXPECT_EQ(ScanAll(overlay, "b", "d"), (std::vector<Row>{{"b", "base"}}));
  EXPECT_EQ(**overlay.Get(Family::kDevices, "d"), "changed");
  EXPECT_FALSE(overlay.Get(Family::kDevices, "f")->has_value());
  EXPECT_FALSE(overlay.Get(Family::kDevices, "c")->has_value());
}

TEST_F(OverlayTest, AViewSeesWhatGetSees) {
  Overlay batch(&engine_);
  batch.Put(Family::kDevices, "a", "batch");
  batch.Delete(Family::kDevices, "d");
  Overlay overlay(&batch);
  overlay.Put(Family::kDevices, "g", "new");
  for (const char* key : {"a", "b", "c", "d", "g"}) {
    std::string storage;
    const auto view = overlay.View(Family::kDevices, key, &storage);
    const auto got = overlay.Get(Family::kDevices, key);
    ASSERT_EQ(view->has_value(), got->has_value()) << key;
    EXPECT_EQ(view->value_or("none"), got->value_or("none")) << key;
  }
}

TEST_F(OverlayTest, AScanStopsWhereTheVisitorSaysSo) {
  Overlay overlay(&engine_);
  overlay.Put(Family::kDevices, "c", "new");
  for (size_t limit = 1; limit <= 4; ++limit) {
    EXPECT_EQ(ScanAll(overlay, "a", "z", limit).size(), limit);
  }
}

TEST_F(OverlayTest, NestsAndLeavesNoTraceUnlessMerged) {
  Overlay batch(&engine_);
  batch.Put(Family::kDevices, "a", "batch");
  {
    Overlay failed(&batch);
    failed.Delete(Family::kDevices, "a");
    EXPECT_FALSE(failed.Get(Family::kDevices, "a")->has_value());
  }
  EXPECT_EQ(**batch.Get(Family::kDevices, "a"), "batch");
  Overlay done(&batch);
  done.Delete(Family::kDevices, "a");
  done.Put(Family::kDevices, "b", "done");
  std::move(done).MergeInto(&batch);
  EXPECT_EQ(ScanAll(batch, "a", "z"),
            (std::vector<Row>{{"b", "done"}, {"d", "base"}, {"f", "base"}}));
}

TEST_F(OverlayTest, WhatIsNewAndDeletedAgainLeavesNothing) {
  Overlay batch(&engine_);
  batch.PutNew(Family::kDevices, "a", "new");
  batch.Delete(Family::kDevices, "a");
  EXPECT_TRUE(batch.writes().empty());
  batch.PutNew(Family::kDevices, "a", "new");
  batch.Put(Family::kDevices, "a", "changed");
  Overlay operation(&batch);
  operation.Delete(Family::kDevices, "a");
  EXPECT_FALSE(operation.Get(Family::kDevices, "a")->has_value());
  std::move(operation).MergeInto(&batch);
  EXPECT_TRUE(batch.writes().empty());
  EXPECT_FALSE(batch.Get(Family::kDevices, "a")->has_value());
}

TEST_F(OverlayTest, WhatIsNewAfterADeletionMustStillBeDeletedBelow) {
  Overlay batch(&engine_);
  batch.Delete(Family::kDevices, "b");
  batch.PutNew(Family::kDevices, "b", "new");
  batch.Delete(Family::kDevices, "b");
  ASSERT_EQ(batch.writes().size(), 1u);
  EXPECT_FALSE(batch.writes().begin()->second.value.has_value());
}

// Against a plain map, over random changes on two levels.
TEST_F(OverlayTest, EqualsAPlainMap) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    MemoryEngine engine;
    std::map<std::string, std::string> model;
    Overlay batch(&engine);
    Overlay operation(&batch);
    int level = 0;
    for (Overlay* overlay : {&batch, &operation}) {
      for (int i = 0; i < 20; ++i) {
        const std::string key(1, static_cast<char>('a' + random() % 12));
        if (random() % 3 == 0) {
          overlay->Delete(Family::kDevices, key);
          model.erase(key);
        } else {
          overlay->Put(Family::kDevices, key, std::to_string(level));
          model[key] = std::to_string(level);
        }
      }
      if (level++ == 0) {
        ASSERT_TRUE(engine.Commit(batch.writes()).ok());
      }
    }
    ASSERT_EQ(ScanAll(operation, "", "z"), std::vector<Row>(model.begin(), model.end()));
  }
}

}  // namespace
}  // namespace bellwire::registry
