// One flipped bit anywhere in the store, or a disk that can't be read: what was committed is read
// back as it was, or something says that it can't be. Nothing wrong is ever served, and nothing
// goes missing in silence.

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"
#include "registry/engine/rocksdb/rocksdb_engine.h"
#include "rocksdb/env.h"
#include "tests/faults/fragile_disk.h"
#include "tests/faults/fragile_file_system.h"
#include "tests/support/process.h"

namespace bellwire::tests {
namespace {

using registry::Family;
using registry::RocksDbEngine;

constexpr Family kFamilies[] = {Family::kDevices, Family::kLives, Family::kNames,
                                Family::kTimeline};

using Model = std::map<std::pair<Family, std::string>, std::string>;

// As an exit code.
enum Verdict { kIntact = 0, kOpenRefused = 1, kReadRefused = 2, kWrong = 3 };

// What RocksDB's own log format says about a record (docs/reference/registry_format.md).
constexpr size_t kBlockBytes = 32 * 1024;
constexpr size_t kHeaderBytes = 7;

// RocksDB keeps blocks that it has read for the process's whole life, and knows a copy of a file as
// the same: so each store is opened in a process of its own, and never in the test's.
class StoreCorruptionTest : public testing::Test {
 protected:
  // Makes a store that has it all: tables, a MANIFEST with history, and a log with commits that are
  // in no table yet.
  void SetUp() override {
    std::vector<std::vector<registry::WriteSet>> generations(3);
    for (auto& generation : generations) {
      for (int i = 0; i < 60; ++i) generation.push_back(SomeWrites());
    }
    ASSERT_EQ(InChild([&] {
                for (const auto& generation : generations) {
                  // Puts what the log has into tables.
                  auto engine = Open(pristine());
                  if (!engine.ok()) return kOpenRefused;
                  for (const registry::WriteSet& writes : generation) {
                    if (!(*engine)->Commit(writes).ok()) return kWrong;
                  }
                }
                return kIntact;
              }),
              kIntact);
    std::filesystem::copy(pristine(), damaged());
    ASSERT_EQ(InChild([this] { return Check(damaged()); }), kIntact);
  }

  std::string pristine() const { return dir_.path("pristine"); }
  std::string damaged() const { return dir_.path("damaged"); }

  static absl::StatusOr<std::unique_ptr<RocksDbEngine>> Open(const std::string& directory) {
    return RocksDbEngine::Open({.directory = directory, .clock = RealClock()});
  }

  static int InChild(absl::FunctionRef<Verdict()> run) {
    const pid_t pid = fork();
    if (pid == 0) {
      SetLogLevel(LogLevel::kError);
      _exit(run());
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  size_t Random(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }

  registry::WriteSet SomeWrites() {
    registry::WriteSet writes;
    for (size_t n = 1 + Random(4); n > 0; --n) {
      const Family family = kFamilies[Random(4)];
      const std::string key = absl::StrCat("key ", Random(kKeys));
      if (Random(5) == 0) {
        writes[{family, key}] = std::nullopt;
        model_.erase({family, key});
      } else {
        std::string value(Random(Random(10) == 0 ? 8000 : 400), '\0');
        for (char& c : value) c = static_cast<char>(random_());
        writes[{family, key}] = value;
        model_[{family, key}] = value;
      }
    }
    return writes;
  }

  // Opens a store and reads everything.
  Verdict Check(const std::string& directory) const {
    const auto engine = Open(directory);
    return engine.ok() ? ReadAll(**engine) : kOpenRefused;
  }

  // By scans and by keys.
  Verdict ReadAll(const RocksDbEngine& engine) const {
    bool refused = false;
    for (const Family family : kFamilies) {
      Model seen;
      const absl::Status scanned =
          engine.Scan(family, "", "\xff", [&](absl::string_view key, absl::string_view value) {
            seen[{family, std::string(key)}] = std::string(value);
            return true;
          });
      refused |= !scanned.ok();
      for (const auto& [key, value] : seen) {
        const auto expected = model_.find(key);
        if (expected == model_.end() || expected->second != value) return kWrong;
      }
      for (size_t i = 0; i < kKeys; ++i) {
        const std::pair<Family, std::string> key(family, absl::StrCat("key ", i));
        const auto got = engine.Get(family, key.second);
        refused |= !got.ok();
        const auto expected = model_.find(key);
        const bool exists = expected != model_.end();
        if (got.ok() && (exists ? *got != expected->second : got->has_value())) return kWrong;
        // A scan that says it is complete is complete.
        if (scanned.ok() && exists && seen.count(key) == 0) return kWrong;
      }
    }
    return refused ? kReadRefused : kIntact;
  }

  // One flipped bit in a copy of the store.
  void Try(const std::string& file, uint64_t bit) {
    std::filesystem::remove_all(damaged());
    std::filesystem::copy(pristine(), damaged());
    ASSERT_TRUE(FlipBit(damaged() + "/" + file, bit)) << file << " " << bit;
    const int verdict = InChild([this] { return Check(damaged()); });
    ASSERT_LE(verdict, kWrong) << file << " bit " << bit << ": crashed with " << verdict;
    ++tally_[static_cast<size_t>(verdict)];
    EXPECT_NE(verdict, kWrong) << file << " bit " << bit << " (byte " << bit / 8 << ")";
  }

  std::vector<std::string> Files(absl::string_view kind) const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(pristine())) {
      const std::string name = entry.path().filename().string();
      if (entry.file_size() > 0 && (absl::StartsWith(name, kind) || absl::EndsWith(name, kind))) {
        names.push_back(name);
      }
    }
    return names;
  }
  uint64_t Size(const std::string& file) const {
    return std::filesystem::file_size(pristine() + "/" + file);
  }

  // Flips `count` random bits, one at a time, in files of a kind.
  void TryRandomBits(absl::string_view kind, int count) {
    const std::vector<std::string> files = Files(kind);
    ASSERT_FALSE(files.empty()) << kind;
    for (int i = 0; i < count; ++i) {
      const std::string& file = files[Random(files.size())];
      Try(file, Random(Size(file) * 8));
    }
    Report(kind);
  }

  // Flips each bit of the length of the last `count` records of a file in RocksDB's log format, one
  // at a time: there damage looks like a record that was being written when the power went.
  void TryLengthsOfLastRecords(absl::string_view kind, size_t count) {
    for (const std::string& file : Files(kind)) {
      std::ifstream in(pristine() + "/" + file, std::ios::binary);
      const std::string bytes((std::istreambuf_iterator<char>(in)),
                              std::istreambuf_iterator<char>());
      std::vector<size_t> lengths;  // Offsets of the length fields.
      for (size_t at = 0; at + kHeaderBytes <= bytes.size();) {
        const size_t room = kBlockBytes - at % kBlockBytes;
        if (room < kHeaderBytes) {
          at += room;
          continue;
        }
        lengths.push_back(at + 4);
        at += kHeaderBytes + static_cast<uint8_t>(bytes[at + 4]) +
              (static_cast<size_t>(static_cast<uint8_t>(bytes[at + 5])) << 8);
      }
      ASSERT_FALSE(lengths.empty());
      for (size_t i = lengths.size() - std::min(count, lengths.size()); i < lengths.size(); ++i) {
        for (uint64_t bit = 0; bit < 16; ++bit) Try(file, lengths[i] * 8 + bit);
      }
    }
    Report(absl::StrCat("lengths in ", kind));
  }

  void Report(absl::string_view kind) const {
    std::cout << kind << ": " << tally_[kOpenRefused] << " flips refused at open, "
              << tally_[kReadRefused] << " at reads, " << tally_[kIntact] << " harmless, "
              << tally_[kWrong] << " wrong\n";
  }

  static constexpr size_t kKeys = 200;

  TempDir dir_;
  std::mt19937_64 random_{20261121};
  Model model_;
  std::array<int, 4> tally_ = {};
};

TEST_F(StoreCorruptionTest, TableFiles) { TryRandomBits(".sst", 150); }
TEST_F(StoreCorruptionTest, Log) { TryRandomBits(".log", 150); }
TEST_F(StoreCorruptionTest, Manifest) { TryRandomBits("MANIFEST", 150); }
TEST_F(StoreCorruptionTest, LengthsInTheLog) { TryLengthsOfLastRecords(".log", 12); }
TEST_F(StoreCorruptionTest, LengthsInTheManifest) { TryLengthsOfLastRecords("MANIFEST", 6); }
TEST_F(StoreCorruptionTest, Current) { TryRandomBits("CURRENT", 50); }
TEST_F(StoreCorruptionTest, Options) { TryRandomBits("OPTIONS", 20); }
TEST_F(StoreCorruptionTest, Identity) { TryRandomBits("IDENTITY", 20); }

TEST_F(StoreCorruptionTest, ReadsThatFail) {
  const int verdict = InChild([this] {
    FragileDisk disk({.root = pristine()});
    const std::unique_ptr<rocksdb::Env> env = NewFragileEnv(&disk);
    const auto engine =
        RocksDbEngine::Open({.directory = pristine(), .clock = RealClock(), .env = env.get()});
    if (!engine.ok()) return kOpenRefused;
    disk.SetFailingReads(true);
    if (ReadAll(**engine) != kReadRefused) return kWrong;
    disk.SetFailingReads(false);
    return ReadAll(**engine);
  });
  EXPECT_EQ(verdict, kIntact) << "reads must fail while the disk can't be read, and only then";
}

TEST_F(StoreCorruptionTest, ADiskThatCannotBeReadAtTheStart) {
  const int verdict = InChild([this] {
    FragileDisk disk({.root = pristine()});
    const std::unique_ptr<rocksdb::Env> env = NewFragileEnv(&disk);
    disk.SetFailingReads(true);
    const auto refused =
        RocksDbEngine::Open({.directory = pristine(), .clock = RealClock(), .env = env.get()});
    if (!absl::IsUnavailable(refused.status())) return kWrong;
    disk.SetFailingReads(false);
    const auto engine =
        RocksDbEngine::Open({.directory = pristine(), .clock = RealClock(), .env = env.get()});
    return engine.ok() ? ReadAll(**engine) : kOpenRefused;
  });
  EXPECT_EQ(verdict, kIntact);
}

}  // namespace
}  // namespace bellwire::tests
