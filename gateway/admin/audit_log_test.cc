#include "gateway/admin/audit_log.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/notification.h"
#include "common/error.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

class AuditLogTest : public ::testing::Test {
 protected:
  AuditLogTest() : dir_(::testing::TempDir() + "/audit_XXXXXX") {
    EXPECT_NE(mkdtemp(dir_.data()), nullptr);
    path_ = dir_ + "/audit.log";
  }
  ~AuditLogTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }

  AuditEntry Append(const std::string& what, const std::string& outcome = "OK") {
    const auto entry =
        AppendToAuditLog(path_,
                         {.who = "alice",
                          .role = "owner",
                          .peer = "127.0.0.1:7",
                          .what = what,
                          .about = {{"team_id", "teamteam22"}, {"name", "a \"name\"\n\xff"}},
                          .outcome = outcome},
                         clock_.WallNow());
    EXPECT_TRUE(entry.ok()) << entry.status();
    return entry.ok() ? *entry : AuditEntry();
  }
  std::string Text() const {
    std::ifstream file(path_);
    return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  }
  void Write(const std::string& text) { std::ofstream(path_) << text; }
  // "1 CreateTeam OK, 2 …"
  std::string Read() const {
    std::string result;
    const absl::Status status = ReadAuditLog(path_, [&result](const AuditEntry& entry) {
      absl::StrAppend(&result, result.empty() ? "" : ", ", entry.number, " ", entry.record.what,
                      " ", entry.record.outcome);
    });
    return status.ok() ? result : absl::StrCat(result, " ", ErrorReason(status));
  }
  absl::Status Check() const {
    return ReadAuditLog(path_, [](const AuditEntry&) {});
  }

  std::string dir_;
  std::string path_;
  SimulatedClock clock_;
};

TEST_F(AuditLogTest, SaysWhoDidWhatWithWhichOutcome) {
  EXPECT_TRUE(absl::IsNotFound(Check()));
  Append("CreateTeam");
  const AuditEntry second = Append("DeleteTeam", "TEAM_NOT_FOUND");
  EXPECT_EQ(Read(), "1 CreateTeam OK, 2 DeleteTeam TEAM_NOT_FOUND");
  AuditEntry last;
  ASSERT_TRUE(ReadAuditLog(path_, [&last](const AuditEntry& entry) { last = entry; }).ok());
  EXPECT_EQ(last.hash, second.hash);
  EXPECT_EQ(last.record.who, "alice");
  EXPECT_EQ(last.record.role, "owner");
  EXPECT_EQ(last.record.peer, "127.0.0.1:7");
  ASSERT_EQ(last.record.about.size(), 2u);
  EXPECT_EQ(last.record.about[0].second, "teamteam22");
  EXPECT_TRUE(absl::StrContains(last.time, "T"));
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(AuditLogTest, AnyChangeOfAnyByteShows) {
  for (int i = 0; i < 4; ++i) Append(absl::StrCat("Method", i));
  const std::string text = Text();
  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = changed[i] == 'x' ? 'y' : 'x';
    Write(changed);
    // What looks like a line that a crash cut off is one only at the end.
    if (i == text.size() - 1) continue;
    EXPECT_EQ(ErrorReason(Check()), "AUDIT_DAMAGED") << "byte " << i;
  }
}

TEST_F(AuditLogTest, ALineThatIsGoneDoubledOrMovedShows) {
  for (int i = 0; i < 4; ++i) Append(absl::StrCat("Method", i));
  const std::vector<std::string> lines = absl::StrSplit(Text(), '\n', absl::SkipEmpty());
  const auto damaged = [&](const std::vector<size_t>& order) {
    std::string text;
    for (const size_t i : order) absl::StrAppend(&text, lines[i], "\n");
    Write(text);
    return ErrorReason(Check()) == "AUDIT_DAMAGED";
  };
  EXPECT_FALSE(damaged({0, 1, 2, 3}));
  EXPECT_TRUE(damaged({0, 2, 3}));
  EXPECT_TRUE(damaged({1, 2, 3})) << "the first one is gone";
  EXPECT_TRUE(damaged({0, 0, 1, 2, 3}));
  EXPECT_TRUE(damaged({0, 2, 1, 3}));
  // What is cut off at the end shows by the last hash only.
  EXPECT_FALSE(damaged({0, 1, 2}));
}

// Of another log, in which the same things were done.
TEST_F(AuditLogTest, AForgedHistoryHasAnotherHash) {
  Append("CreateTeam");
  const std::string real = Append("DeleteTeam").hash;
  Write("");
  Append("CreateTeam");
  EXPECT_NE(Append("ListTeams").hash, real);
}

TEST_F(AuditLogTest, GoesOnBehindALineThatACrashCutOff) {
  Append("One");
  Append("Two");
  const std::string text = Text();
  const size_t second = text.find('\n') + 1;
  Write(text.substr(0, text.size() - 1));
  Append("Three");
  EXPECT_EQ(Read(), "1 One OK, 2 Two OK, 3 Three OK") << "only its end was missing";
  for (const size_t size : {text.size() - 2, text.size() - 30, second + 1}) {
    Write(text.substr(0, size));
    EXPECT_EQ(Read(), "1 One OK");
    Append("Three");
    Append("Four");
    EXPECT_EQ(Read(), "1 One OK, 2 Three OK, 3 Four OK");
  }
  // A line that is none, and that nothing says was cut off, is damage.
  Write("nonsense\n");
  EXPECT_EQ(ErrorReason(AppendToAuditLog(path_, {.what = "x"}, clock_.WallNow()).status()),
            "AUDIT_DAMAGED");
}

TEST_F(AuditLogTest, WritersOfSeveralProcessesKeepOneChain) {
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t) {
    writers.emplace_back([this, t] {
      for (int i = 0; i < 20; ++i) Append(absl::StrCat("Writer", t));
    });
  }
  for (std::thread& writer : writers) writer.join();
  size_t entries = 0;
  const absl::Status status = ReadAuditLog(path_, [&entries](const AuditEntry&) { ++entries; });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(entries, 80u);
}

TEST_F(AuditLogTest, ALongValueIsCut) {
  ASSERT_TRUE(
      AppendToAuditLog(path_, {.who = std::string(100'000, 'a'), .what = "x"}, clock_.WallNow())
          .ok());
  EXPECT_LT(Text().size(), kMaxAuditLineBytes);
  EXPECT_EQ(Read(), "1 x ");
}

TEST_F(AuditLogTest, AFileThatCannotBeWrittenIsAnError) {
  path_ = dir_ + "/none/audit.log";
  AuditLog log(path_, &clock_);
  absl::Notification done;
  log.Append({.what = "CreateTeam"}, [&done](absl::StatusOr<uint64_t> number) {
    EXPECT_EQ(ErrorReason(number.status()), "AUDIT_NOT_WRITTEN") << number.status();
    done.Notify();
  });
  done.WaitForNotification();
}

TEST_F(AuditLogTest, WhatIsQueuedIsWrittenBeforeTheEnd) {
  {
    AuditLog log(path_, &clock_);
    for (int i = 0; i < 10; ++i) {
      log.Append({.what = absl::StrCat("m", i)},
                 [i](absl::StatusOr<uint64_t> number) { EXPECT_EQ(*number, i + 1u); });
    }
  }
  EXPECT_TRUE(absl::StrContains(Read(), "10 m9 "));
}

}  // namespace
}  // namespace bellwire::gateway
