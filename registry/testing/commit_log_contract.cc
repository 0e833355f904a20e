#include "registry/testing/commit_log_contract.h"

#include <cstdint>
#include <map>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"

namespace bellwire::registry {
namespace {

using Entries = std::map<uint64_t, std::string>;

// Sees that they come in order.
Entries Read(const CommitLog& log, uint64_t from = 0) {
  Entries entries;
  uint64_t last = 0;
  EXPECT_TRUE(log.ReadFrom(from, [&](uint64_t commit, absl::string_view entry) {
                   EXPECT_GT(commit, last);
                   last = commit;
                   entries[commit] = std::string(entry);
                   return absl::OkStatus();
                 }).ok());
  return entries;
}

TEST_P(CommitLogContractTest, IsEmptyAtFirst) { EXPECT_EQ(Read(log()), Entries()); }

TEST_P(CommitLogContractTest, AnEntryIsThereExactlyIfItsCommitIs) {
  log().Append(7, "seven");
  Commit();
  log().Append(8, "lost");
  Restart();
  EXPECT_EQ(Read(log()), (Entries{{7, "seven"}}));
}

TEST_P(CommitLogContractTest, EntriesAreBytes) {
  const std::string bytes("\0\xff\n'\\", 5);
  log().Append(1, bytes);
  Commit();
  log().Append(2, "");
  Commit();
  Restart();
  EXPECT_EQ(Read(log()), (Entries{{1, bytes}, {2, ""}}));
}

TEST_P(CommitLogContractTest, ReadsFromANumberOnUntilTheVisitorFails) {
  for (uint64_t commit = 1; commit <= 100; ++commit) {
    log().Append(commit, absl::StrCat(commit));
    Commit();
  }
  EXPECT_EQ(Read(log()).size(), 100u) << "in as many pages as it takes";
  EXPECT_EQ(Read(log(), 99), (Entries{{99, "99"}, {100, "100"}}));
  EXPECT_EQ(Read(log(), 101), Entries());
  int visited = 0;
  const absl::Status stopped = log().ReadFrom(0, [&](uint64_t, absl::string_view) {
    return ++visited == 3 ? absl::CancelledError("enough") : absl::OkStatus();
  });
  EXPECT_EQ(stopped.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(visited, 3);
}

TEST_P(CommitLogContractTest, IsTrimmedWithTheCommit) {
  for (uint64_t commit = 1; commit <= 5; ++commit) {
    log().Append(commit, absl::StrCat(commit));
    Commit();
  }
  log().TrimTo(3);
  log().Append(6, "6");
  Commit();
  EXPECT_EQ(Read(log()), (Entries{{3, "3"}, {4, "4"}, {5, "5"}, {6, "6"}}));
  log().TrimTo(6);
  Restart();
  EXPECT_EQ(Read(log()).begin()->first, 3u) << "the trim had no commit";
  log().TrimTo(7);
  log().Append(7, "7");
  Commit();
  Restart();
  EXPECT_EQ(Read(log()), (Entries{{7, "7"}}));
}

// Against a plain map: what a trim removes is gone for good, whenever the log was opened again.
TEST_P(CommitLogContractTest, EqualsAPlainMap) {
  std::mt19937 random(1);
  Entries model;
  uint64_t next = 1;
  for (int round = 0; round < 200; ++round) {
    const uint64_t oldest = model.empty() ? next : model.begin()->first;
    const uint64_t trim = oldest + random() % (next - oldest + 1);
    if (random() % 3 == 0) {
      log().TrimTo(trim);
      model.erase(model.begin(), model.lower_bound(trim));
    }
    log().Append(next, absl::StrCat(round));
    model[next++] = absl::StrCat(round);
    Commit();
    if (random() % 20 == 0) {
      Restart();
      ASSERT_EQ(Read(log()), model) << "as a store reads it when it is opened";
    }
  }
  EXPECT_EQ(Read(log()), model);
}

}  // namespace
}  // namespace bellwire::registry
