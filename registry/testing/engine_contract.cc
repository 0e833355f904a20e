#include "registry/testing/engine_contract.h"

#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace bellwire::registry {
namespace {

using Row = std::pair<std::string, std::string>;

constexpr Family kFamilies[] = {Family::kDevices, Family::kLives,    Family::kTeams,
                                Family::kNames,   Family::kTimeline, Family::kOutbox,
                                Family::kFeeds,   Family::kTopics};

std::vector<Row> Rows(const KvEngine& engine, Family family, absl::string_view from,
                      absl::string_view to, size_t limit = 1000) {
  std::vector<Row> rows;
  EXPECT_TRUE(engine
                  .Scan(family, from, to,
                        [&](absl::string_view key, absl::string_view value) {
                          rows.emplace_back(key, value);
                          return rows.size() < limit;
                        })
                  .ok());
  return rows;
}

// "-": no such key. Get and View agree.
std::string Value(const KvEngine& engine, Family family, absl::string_view key) {
  std::string storage;
  const auto got = engine.Get(family, key);
  const auto view = engine.View(family, key, &storage);
  EXPECT_TRUE(got.ok() && view.ok());
  EXPECT_EQ(got->value_or("-"), view->value_or("-"));
  return got->value_or("-");
}

TEST_P(EngineContractTest, AKeyIsItsFamilysAlone) {
  ASSERT_TRUE(engine().Commit({{{Family::kDevices, "key"}, "of a device"}}).ok());
  for (const Family family : kFamilies) {
    EXPECT_EQ(Value(engine(), family, "key"), family == Family::kDevices ? "of a device" : "-");
  }
}

TEST_P(EngineContractTest, KeysAndValuesAreBytes) {
  const std::string key("\0\xff\0", 3), value("\xff\0", 2);
  ASSERT_TRUE(
      engine().Commit({{{Family::kDevices, key}, value}, {{Family::kLives, key}, ""}}).ok());
  Restart();
  EXPECT_EQ(Value(engine(), Family::kDevices, key), value);
  EXPECT_EQ(Value(engine(), Family::kLives, key), "");
}

TEST_P(EngineContractTest, AScanIsInTheOrderOfBytes) {
  for (const char* key : {"b", "\xff", "a", "ab", "c"}) {
    ASSERT_TRUE(engine().Commit({{{Family::kTimeline, key}, key}}).ok());
  }
  EXPECT_EQ(Rows(engine(), Family::kTimeline, "a", "c"),
            (std::vector<Row>{{"a", "a"}, {"ab", "ab"}, {"b", "b"}}));
  EXPECT_EQ(Rows(engine(), Family::kTimeline, "ab", "\xff\xff", 2),
            (std::vector<Row>{{"ab", "ab"}, {"b", "b"}}))
      << "the visitor ends it";
  EXPECT_TRUE(Rows(engine(), Family::kTimeline, "c", "c").empty());
}

TEST_P(EngineContractTest, AnEmptyCommitIsOne) { EXPECT_TRUE(engine().Commit({}).ok()); }

TEST_P(EngineContractTest, ADeletionOfWhatIsNotThereIsHarmless) {
  ASSERT_TRUE(engine().Commit({{{Family::kDevices, "a"}, std::nullopt}}).ok());
  EXPECT_EQ(Value(engine(), Family::kDevices, "a"), "-");
}

// Against a plain map, over random commits of all families, with restarts.
TEST_P(EngineContractTest, EqualsAPlainMap) {
  std::mt19937 random(1);
  std::map<Family, std::map<std::string, std::string>> model;
  const auto any_key = [&] {
    return absl::StrCat("device ", 100'000'000 + random() % 5, random() % 5);
  };
  for (int commit = 0; commit < 500; ++commit) {
    WriteSet writes;
    for (size_t n = random() % 5; n > 0; --n) {
      const Family family = kFamilies[random() % std::size(kFamilies)];
      const std::string key = any_key();
      if (random() % 3 == 0) {
        writes[{family, key}] = std::nullopt;
        model[family].erase(key);
      } else {
        Change change(absl::StrCat(commit));
        change.is_new = model[family].count(key) + writes.count(KvKey{family, key}) == 0;
        model[family][key] = absl::StrCat(commit);
        writes[{family, key}] = std::move(change);
      }
    }
    ASSERT_TRUE(engine().Commit(writes).ok());
    if (commit % 50 == 49) Restart();
    const Family family = kFamilies[random() % std::size(kFamilies)];
    const std::string key = any_key();
    ASSERT_EQ(Value(engine(), family, key),
              model[family].count(key) != 0 ? model[family][key] : "-");
    std::string from = any_key(), to = any_key();
    if (to < from) std::swap(from, to);
    ASSERT_EQ(Rows(engine(), family, from, to),
              std::vector<Row>(model[family].lower_bound(from), model[family].lower_bound(to)));
  }
}

}  // namespace
}  // namespace bellwire::registry
