#include "registry/engine/recent_writes.h"

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "registry/engine/memory_engine.h"

namespace bellwire::registry {
namespace {

using Row = std::pair<std::string, std::string>;

// Sixteen bytes and a rest, as the keys of a device are.
std::string Key(int device, absl::string_view rest) {
  return absl::StrCat("device ", 100'000'000 + device, rest);
}

class RecentWritesTest : public testing::Test {
 protected:
  void Add(const std::string& key, Change change, uint64_t bytes,
           Family family = Family::kDevices) {
    recent_.Add({family, key}, std::move(change), {.commit = bytes, .bytes = bytes});
  }

  static Change New(std::string value) {
    Change change(std::move(value));
    change.is_new = true;
    return change;
  }

  // Does with the tables what TakeBefore asks for; answers how many keys that were.
  size_t TakeBefore(uint64_t bytes, uint64_t at_most = UINT64_MAX) {
    WriteSet writes;
    recent_.TakeBefore(
        bytes, at_most,
        [&](Family family, absl::string_view key, const std::optional<std::string>& value) {
          writes[{family, std::string(key)}] = value;
        });
    EXPECT_TRUE(tables_.Commit(writes).ok());
    return writes.size();
  }

  std::string Get(const std::string& key) const {
    std::string storage;
    const auto view = recent_.View(Family::kDevices, key, &storage);
    const auto got = recent_.Get(Family::kDevices, key);
    EXPECT_EQ(view->value_or("-"), got->value_or("-"));
    return got->value_or("-");
  }

  std::vector<Row> Scan(const std::string& from, const std::string& to) const {
    std::vector<Row> rows;
    EXPECT_TRUE(recent_
                    .Scan(Family::kDevices, from, to,
                          [&](absl::string_view key, absl::string_view value) {
                            rows.emplace_back(key, value);
                            return true;
                          })
                    .ok());
    return rows;
  }

  MemoryEngine tables_;
  RecentWrites recent_{&tables_};
};

TEST_F(RecentWritesTest, HidesWhatLiesBelow) {
  ASSERT_TRUE(tables_
                  .Commit({{{Family::kDevices, Key(1, "a")}, "below"},
                           {{Family::kDevices, Key(1, "b")}, "below"}})
                  .ok());
  Add(Key(1, "a"), "above", 0);
  Add(Key(1, "b"), std::nullopt, 0);
  EXPECT_EQ(Get(Key(1, "a")), "above");
  EXPECT_EQ(Get(Key(1, "b")), "-");
  EXPECT_EQ(Scan(Key(1, ""), Key(1, "z")), (std::vector<Row>{{Key(1, "a"), "above"}}));
}

TEST_F(RecentWritesTest, ADevicesChangesAreFoundTogether) {
  Add(Key(1, "a"), "1", 0);
  Add(Key(1, "b"), std::nullopt, 0);
  Add(Key(2, "a"), "2", 0);
  std::map<std::string, std::string> found;
  recent_.ForEach(Family::kDevices, Key(1, ""), [&](absl::string_view key, const Change& change) {
    found[std::string(key)] = change.value.value_or("-");
  });
  EXPECT_EQ(found, (std::map<std::string, std::string>{{Key(1, "a"), "1"}, {Key(1, "b"), "-"}}));
  recent_.ForEach(Family::kLives, Key(1, ""), [](absl::string_view, const Change&) { FAIL(); });
  recent_.ForEach(Family::kDevices, Key(3, ""), [](absl::string_view, const Change&) { FAIL(); });
}

TEST_F(RecentWritesTest, WhatIsGoneInTimeNeverReachesTheTables) {
  Add(Key(1, "M1"), New("message"), 0);
  Add(Key(1, "D"), "first", 0);
  Add(Key(1, "M1"), std::nullopt, 10);
  Add(Key(1, "D"), "second", 10);
  EXPECT_EQ(TakeBefore(100), 1u);
  EXPECT_EQ(**tables_.Get(Family::kDevices, Key(1, "D")), "second");
  EXPECT_FALSE(recent_.oldest().has_value());
}

TEST_F(RecentWritesTest, WhatMayLieBelowIsDeletedThere) {
  Add(Key(1, "M1"), New("message"), 0);
  EXPECT_EQ(TakeBefore(1), 1u);
  Add(Key(1, "M1"), std::nullopt, 10);
  EXPECT_EQ(Get(Key(1, "M1")), "-");
  EXPECT_EQ(TakeBefore(11), 1u);
  EXPECT_FALSE(tables_.Get(Family::kDevices, Key(1, "M1"))->has_value());
}

TEST_F(RecentWritesTest, SomeMayLeaveHoweverYoung) {
  for (int device = 0; device < 3; ++device) Add(Key(device, "D"), "12345", 10 * device);
  Add(Key(1, "M1"), "message", 30);
  std::vector<std::string> left;
  recent_.TakeThose(
      [](Family, absl::string_view key) { return key.substr(0, 16) == Key(1, "").substr(0, 16); },
      [&](Family, absl::string_view key, const std::optional<std::string>& value) {
        left.push_back(absl::StrCat(key.substr(16), "=", value.value_or("-")));
      });
  EXPECT_EQ(left, (std::vector<std::string>{"D=12345", "M1=message"}));
  EXPECT_EQ(Get(Key(0, "D")), "12345");
  EXPECT_EQ(Get(Key(1, "D")), "-") << "not here, and nobody has told the tables";
  EXPECT_EQ(TakeBefore(100), 2u);
}

// A commit that writes to many devices is not followed by one that does it all again.
TEST_F(RecentWritesTest, ManyThatLeaveAtATimeLeaveInSteps) {
  for (int device = 0; device < 10; ++device) Add(Key(device, "D"), "12345", 0);
  const uint64_t bytes_of_one = Key(0, "D").size() + 5;
  EXPECT_EQ(TakeBefore(1, 3 * bytes_of_one), 3u);
  EXPECT_EQ(recent_.oldest()->bytes, 0u) << "the log of the others is still needed";
  EXPECT_EQ(Get(Key(9, "D")), "12345");
  EXPECT_EQ(TakeBefore(1, 2 * bytes_of_one + 1), 3u) << "no group is divided";
  EXPECT_EQ(TakeBefore(1), 4u);
  EXPECT_FALSE(recent_.oldest().has_value());
}

TEST_F(RecentWritesTest, TheOldestGroupLeavesFirstAndAsAWhole) {
  Add(Key(1, "D"), "one", 0);
  Add(Key(2, "D"), "two", 5);
  Add(Key(1, "R"), "one", 10);
  EXPECT_EQ(recent_.oldest()->bytes, 0u);
  EXPECT_EQ(TakeBefore(0), 0u) << "not before its time";
  EXPECT_EQ(TakeBefore(5), 2u) << "both of the first device";
  EXPECT_EQ(recent_.oldest()->bytes, 5u);
  Add(Key(1, "D"), "again", 20);
  EXPECT_EQ(TakeBefore(6), 1u);
  EXPECT_EQ(recent_.oldest()->bytes, 20u);
  EXPECT_EQ(Get(Key(1, "R")), "one");
  EXPECT_EQ(Get(Key(1, "D")), "again");
}

TEST_F(RecentWritesTest, FamiliesAreApart) {
  Add("key", "outbox", 0, Family::kOutbox);
  EXPECT_EQ(Get("key"), "-");
  EXPECT_FALSE(recent_.Get(Family::kTeams, "key")->has_value());
  EXPECT_EQ(**recent_.Get(Family::kOutbox, "key"), "outbox");
  EXPECT_FALSE(RecentWrites::Keeps(Family::kFeeds));
}

// Against a plain map, over random changes of some devices and scans of one and of several.
TEST_F(RecentWritesTest, EqualsAPlainMap) {
  std::mt19937 random(1);
  std::map<std::string, std::string> model;
  const auto any_key = [&] {
    return Key(static_cast<int>(random() % 5),
               std::string(random() % 3, static_cast<char>('a' + random() % 3)));
  };
  for (uint64_t bytes = 0; bytes < 20'000; ++bytes) {
    const std::string key = any_key();
    if (random() % 3 == 0) {
      Add(key, std::nullopt, bytes);
      model.erase(key);
    } else {
      Change change(std::to_string(bytes));
      change.is_new = model.count(key) == 0 && random() % 2 == 0;
      Add(key, std::move(change), bytes);
      model[key] = std::to_string(bytes);
    }
    if (bytes > 50) TakeBefore(bytes - random() % 50, 1 + random() % 50);
    ASSERT_GE(recent_.oldest().value_or(LogPlace{.bytes = bytes}).bytes + 50, bytes);
    const std::string read = any_key();
    ASSERT_EQ(Get(read), model.count(read) != 0 ? model[read] : "-");
    std::string from = any_key(), to = any_key();
    if (to < from) std::swap(from, to);
    ASSERT_EQ(Scan(from, to), std::vector<Row>(model.lower_bound(from), model.lower_bound(to)));
  }
}

}  // namespace
}  // namespace bellwire::registry
