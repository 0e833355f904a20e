#include "registry/engine/logged_commit.h"

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gtest/gtest.h"
#include "registry/engine/memory_engine.h"
#include "registry/engine/recent_writes.h"

namespace bellwire::registry {
namespace {

// A CommitLog without a store.
class MemoryLog final : public CommitLog {
 public:
  void Append(uint64_t commit, absl::string_view entry) override {
    entries[commit] = std::string(entry);
  }
  void TrimTo(uint64_t commit) override {
    entries.erase(entries.begin(), entries.lower_bound(commit));
  }
  absl::Status ReadFrom(
      uint64_t commit,
      absl::FunctionRef<absl::Status(uint64_t commit, absl::string_view entry)> visit)
      const override {
    for (auto it = entries.lower_bound(commit); it != entries.end(); ++it) {
      if (const absl::Status status = visit(it->first, it->second); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  std::map<uint64_t, std::string> entries;
};

std::string Entry(uint64_t oldest, const std::string& key,
                  const std::optional<std::string>& value) {
  LoggedCommit entry;
  entry.Start(oldest);
  entry.Write(Family::kDevices, key, value);
  return std::string(entry.bytes());
}

std::string ReasonOf(const MemoryLog& log) { return ErrorReason(RecoverFrom(log).status()); }

TEST(LoggedCommitTest, AnEmptyLogHasNothing) {
  const auto recovered = RecoverFrom(MemoryLog());
  ASSERT_TRUE(recovered.ok());
  EXPECT_EQ(recovered->last_commit, 0u);
  EXPECT_TRUE(recovered->writes.empty());
}

TEST(LoggedCommitTest, TheLatestWriteOfAKeyCounts) {
  MemoryLog log;
  log.Append(7, Entry(7, "a", "old"));
  log.Append(8, Entry(7, "a", "new"));
  log.Append(9, Entry(7, "b", std::nullopt));
  const auto recovered = RecoverFrom(log);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->last_commit, 9u);
  ASSERT_EQ(recovered->writes.size(), 2u);
  EXPECT_EQ(recovered->writes.begin()->second.value, "new");
  EXPECT_EQ(recovered->writes.rbegin()->second.value, std::nullopt);
}

TEST(LoggedCommitTest, AMissingEntryIsReported) {
  MemoryLog log;
  for (uint64_t commit = 1; commit <= 4; ++commit) log.Append(commit, Entry(2, "a", "1"));
  log.entries.erase(1);
  EXPECT_EQ(ReasonOf(log), "") << "it was not needed any more";
  log.entries.erase(3);
  EXPECT_EQ(ReasonOf(log), "STORE_CORRUPT") << "a hole";
  log.Append(3, Entry(2, "a", "1"));
  log.entries.erase(2);
  EXPECT_EQ(ReasonOf(log), "STORE_CORRUPT") << "the first";
}

TEST(LoggedCommitTest, DamageIsReportedWhereverItIs) {
  const std::string entry = Entry(1, "key", "value");
  for (size_t size = 0; size < entry.size(); ++size) {
    MemoryLog log;
    log.Append(1, absl::string_view(entry).substr(0, size));
    // Only the head, of an entry without writes, is whole.
    EXPECT_EQ(ReasonOf(log), size == 1 ? "" : "STORE_CORRUPT") << size;
  }
  std::mt19937 random(1);
  for (int i = 0; i < 10'000; ++i) {
    std::string bytes(random() % 20, 0);
    for (char& byte : bytes) byte = static_cast<char>(random() % 6);
    MemoryLog log;
    log.Append(1, bytes);
    (void)RecoverFrom(log);
  }
}

// The way of the engine: whatever is written, and whenever groups leave, tables and log together
// have it.
TEST(LoggedCommitTest, TablesAndLogHaveEverything) {
  std::mt19937 random(1);
  MemoryEngine tables;
  RecentWrites recent(&tables);
  MemoryLog log;
  std::map<std::string, std::string> model;
  uint64_t bytes = 0;
  LoggedCommit entry;
  for (uint64_t commit = 1; commit < 2000; ++commit) {
    WriteSet leaving;
    std::map<std::string, std::optional<std::string>> writes;
    for (size_t n = 1 + random() % 3; n > 0; --n) {
      const std::string key = absl::StrCat("device ", 100'000'000 + random() % 6, random() % 3);
      if (random() % 3 == 0) {
        writes[key] = std::nullopt;
        model.erase(key);
      } else {
        writes[key] = model[key] = absl::StrCat(commit);
      }
    }
    recent.TakeBefore(
        bytes - std::min<uint64_t>(bytes, random() % 400), /*at_most=*/1 + random() % 400,
        [&](Family family, absl::string_view key, const std::optional<std::string>& value) {
          leaving[{family, std::string(key)}] = value;
        });
    const uint64_t oldest = recent.oldest().value_or(LogPlace{.commit = commit}).commit;
    entry.Start(oldest);
    for (const auto& [key, value] : writes) entry.Write(Family::kDevices, key, value);
    ASSERT_TRUE(tables.Commit(leaving).ok());
    log.TrimTo(oldest);
    log.Append(commit, entry.bytes());
    for (const auto& [key, value] : writes) {
      recent.Add({Family::kDevices, key}, Change(value), {.commit = commit, .bytes = bytes});
    }
    bytes += entry.bytes().size();

    const auto recovered = RecoverFrom(log);
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    std::map<std::string, std::string> found;
    ASSERT_TRUE(tables
                    .Scan(Family::kDevices, "", "z",
                          [&](absl::string_view key, absl::string_view value) {
                            found[std::string(key)] = std::string(value);
                            return true;
                          })
                    .ok());
    for (const auto& [key, change] : recovered->writes) {
      if (change.value.has_value()) {
        found[key.key] = *change.value;
      } else {
        found.erase(key.key);
      }
    }
    ASSERT_EQ(found, model) << commit;
  }
}

TEST(LoggedCommitTest, OnlyWhatCountsIsRedone) {
  MemoryLog log;
  LoggedCommit entry;
  for (uint64_t commit = 1; commit <= 3; ++commit) {
    entry.Start(1);
    entry.Write(Family::kDevices, "a", absl::StrCat("a", commit));
    entry.Write(Family::kDevices, "b", absl::StrCat("b", commit));
    log.Append(commit, entry.bytes());
  }
  // From the second on they belong to somebody else.
  const auto recovered = RecoverFrom(log, [](uint64_t commit, Family, absl::string_view key) {
    return key == "a" ? commit < 2 : commit > 9;
  });
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->last_commit, 3u);
  ASSERT_EQ(recovered->writes.size(), 1u);
  EXPECT_EQ(recovered->writes.begin()->second.value, "a1");
}

}  // namespace
}  // namespace bellwire::registry
