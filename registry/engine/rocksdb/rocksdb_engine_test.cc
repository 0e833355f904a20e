// RocksDB under the registry: what it refuses to open, how it comes back from failed writes, and
// that damage is reported and never served.

#include "registry/engine/rocksdb/rocksdb_engine.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"
#include "registry/testing/fault_file_system.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"

namespace bellwire::registry {
namespace {

namespace fs = std::filesystem;

class RocksDbEngineTest : public testing::Test {
 protected:
  absl::Status Open() {
    engine_.reset();
    auto engine = RocksDbEngine::Open({.directory = directory_.path("store"),
                                       .clock = &clock_,
                                       .env = env_.get(),
                                       .max_recent_writes_bytes = max_recent_writes_bytes_});
    if (!engine.ok()) return engine.status();
    engine_ = *std::move(engine);
    return absl::OkStatus();
  }

  absl::Status Put(const std::string& key, const std::string& value) {
    return engine_->Commit({{KvKey{Family::kDevices, key}, value}});
  }

  // "-": no such key.
  std::string Get(const std::string& key) { return Get(*engine_, key); }
  static std::string Get(const RocksDbEngine& engine, const std::string& key) {
    const auto value = engine.Get(Family::kDevices, key);
    if (!value.ok()) return ErrorReason(value.status());
    return value->value_or("-");
  }

  // Files whose names end so, oldest first.
  std::vector<fs::path> Files(const std::string& ending) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(directory_.path("store"))) {
      if (entry.path().extension() == ending) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  // Opens the directory with RocksDB itself.
  void WithDatabase(const std::function<void(rocksdb::DB*)>& use) {
    engine_.reset();
    rocksdb::DBOptions options;
    std::vector<std::string> names;
    ASSERT_TRUE(rocksdb::DB::ListColumnFamilies(options, directory_.path("store"), &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const std::string& name : names) {
      families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    }
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* db = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(options, directory_.path("store"), families, &handles, &db).ok());
    commits_ = nullptr;
    for (rocksdb::ColumnFamilyHandle* handle : handles) {
      if (handle->GetName() == "commits") commits_ = handle;
    }
    use(db);
    for (rocksdb::ColumnFamilyHandle* handle : handles) {
      ASSERT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
    }
    delete db;
  }

  // How many entries the commit log of a copy of the store has.
  size_t Entries() {
    size_t entries = 0;
    const std::string copy = Crashed();
    rocksdb::DB* db = nullptr;
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    std::vector<std::string> names;
    EXPECT_TRUE(rocksdb::DB::ListColumnFamilies({}, copy, &names).ok());
    for (const std::string& name : names) families.push_back({name, {}});
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    EXPECT_TRUE(rocksdb::DB::OpenForReadOnly({}, copy, families, &handles, &db).ok());
    for (rocksdb::ColumnFamilyHandle* handle : handles) {
      if (handle->GetName() == "commits") {
        const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator({}, handle));
        for (it->SeekToFirst(); it->Valid(); it->Next()) ++entries;
      }
      EXPECT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
    }
    delete db;
    return entries;
  }

  // What a power cut leaves now: every commit is on disk.
  std::string Crashed() {
    const std::string copy = absl::StrCat(crashed_.path("store"), "/", crashes_++);
    fs::create_directory(crashed_.path("store"));
    fs::copy(directory_.path("store"), copy);
    return copy;
  }
  absl::StatusOr<std::unique_ptr<RocksDbEngine>> OpenCopy(const std::string& copy,
                                                          bool read_only = false) {
    return RocksDbEngine::Open({.directory = copy, .clock = &clock_, .read_only = read_only});
  }

  static void FlipBit(const fs::path& file, size_t offset) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(offset));
    const char byte = static_cast<char>(stream.get() ^ 1);
    stream.seekp(static_cast<std::streamoff>(offset));
    stream.put(byte);
    ASSERT_TRUE(stream.good());
  }

  TempDir directory_;
  TempDir crashed_;
  int crashes_ = 0;
  // The family of the commit log, within WithDatabase.
  rocksdb::ColumnFamilyHandle* commits_ = nullptr;
  uint64_t max_recent_writes_bytes_ = kMaxRecentWritesBytes;
  SimulatedClock clock_;
  std::shared_ptr<FaultFileSystem> faults_ = std::make_shared<FaultFileSystem>();
  std::unique_ptr<rocksdb::Env> env_ = rocksdb::NewCompositeEnv(faults_);
  std::unique_ptr<RocksDbEngine> engine_;
};

// --- Opening.

TEST_F(RocksDbEngineTest, KeepsWhatWasCommitted) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Put("a", "1").ok());
  ASSERT_TRUE(Put("b", std::string("\0\xff", 2)).ok());
  ASSERT_TRUE(engine_
                  ->Commit({{KvKey{Family::kDevices, "a"}, std::nullopt},
                            {KvKey{Family::kTeams, "a"}, "of a team"}})
                  .ok());
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Get("a"), "-");
  EXPECT_EQ(Get("b"), std::string("\0\xff", 2));
  EXPECT_EQ(**engine_->Get(Family::kTeams, "a"), "of a team");
}

TEST_F(RocksDbEngineTest, ItsDirectoryIsForNobodyElse) {
  ASSERT_TRUE(Open().ok());
  struct stat info;
  ASSERT_EQ(stat(directory_.path("store").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700);
}

TEST_F(RocksDbEngineTest, ASecondOpenIsRefused) {
  ASSERT_TRUE(Open().ok());
  const auto second =
      RocksDbEngine::Open({.directory = directory_.path("store"), .clock = &clock_});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ErrorReason(second.status()), "STORE_LOCKED");
  EXPECT_NE(second.status().message().find(directory_.path("store")), absl::string_view::npos);
  ASSERT_TRUE(Put("a", "1").ok()) << "the first goes on";
}

TEST_F(RocksDbEngineTest, ASecondProcessIsRefusedUntilTheFirstDies) {
  int started[2];
  ASSERT_EQ(pipe(started), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto engine = RocksDbEngine::Open({.directory = directory_.path("store"), .clock = &clock_});
    const char ok = engine.ok() ? 1 : 0;
    if (write(started[1], &ok, 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  close(started[1]);  // Else a child that died would be waited for.
  char ok = 0;
  ASSERT_EQ(read(started[0], &ok, 1), 1);
  ASSERT_EQ(ok, 1);
  const absl::Status refused = Open();
  EXPECT_EQ(ErrorReason(refused), "STORE_LOCKED");
  EXPECT_NE(refused.message().find(absl::StrCat("pid ", child)), absl::string_view::npos)
      << refused;
  ASSERT_EQ(kill(child, SIGKILL), 0);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(Open().ok());
  close(started[0]);
}

TEST_F(RocksDbEngineTest, AnotherFormatVersionIsRefused) {
  ASSERT_TRUE(Open().ok());
  WithDatabase([](rocksdb::DB* db) {
    storage::v1::Format format;
    format.set_version(1);
    ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), "format", format.SerializeAsString()).ok());
  });
  const absl::Status status = Open();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ErrorReason(status), "STORE_FORMAT");
  EXPECT_NE(status.message().find("version 1"), absl::string_view::npos) << status;
}

TEST_F(RocksDbEngineTest, AStoreOfVersion3IsTakenOver) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(engine_->Commit({{{Family::kTeams, "a"}, "1"}}).ok());
  WithDatabase([](rocksdb::DB* db) {
    storage::v1::Format format;
    format.set_version(3);
    ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), "format", format.SerializeAsString()).ok());
  });
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(**engine_->Get(Family::kTeams, "a"), "1");
  WithDatabase([](rocksdb::DB* db) {
    std::string bytes;
    storage::v1::Format format;
    ASSERT_TRUE(db->Get(rocksdb::ReadOptions(), "format", &bytes).ok());
    ASSERT_TRUE(format.ParseFromString(bytes));
    EXPECT_EQ(format.version(), 6u) << "an older program would not look for the commit log";
  });
}

TEST_F(RocksDbEngineTest, EachStartHasAGreaterNumberThoughTheClockIsSetBack) {
  ASSERT_TRUE(Open().ok());
  const uint64_t first = engine_->numbers_after();
  EXPECT_GT(first, 0u);
  ASSERT_TRUE(Open().ok());
  const uint64_t second = engine_->numbers_after();
  EXPECT_GT(second, first);
  clock_.JumpWall(-absl::Hours(24));
  ASSERT_TRUE(Open().ok());
  EXPECT_GT(engine_->numbers_after(), second);
}

TEST_F(RocksDbEngineTest, AnUnknownColumnFamilyIsRefused) {
  ASSERT_TRUE(Open().ok());
  WithDatabase([](rocksdb::DB* db) {
    rocksdb::ColumnFamilyHandle* handle = nullptr;
    ASSERT_TRUE(db->CreateColumnFamily(rocksdb::ColumnFamilyOptions(), "future", &handle).ok());
    ASSERT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
  });
  const absl::Status status = Open();
  EXPECT_EQ(ErrorReason(status), "STORE_FORMAT");
  EXPECT_NE(status.message().find("future"), absl::string_view::npos) << status;
}

TEST_F(RocksDbEngineTest, AForeignDatabaseIsRefused) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(engine_->Commit({{{Family::kTeams, "a"}, "1"}}).ok());
  WithDatabase(
      [](rocksdb::DB* db) { ASSERT_TRUE(db->Delete(rocksdb::WriteOptions(), "format").ok()); });
  EXPECT_EQ(ErrorReason(Open()), "STORE_FORMAT");
}

TEST_F(RocksDbEngineTest, AnInterruptedMakingIsCompleted) {
  ASSERT_TRUE(Open().ok());
  WithDatabase(
      [](rocksdb::DB* db) { ASSERT_TRUE(db->Delete(rocksdb::WriteOptions(), "format").ok()); });
  EXPECT_TRUE(Open().ok());
}

TEST_F(RocksDbEngineTest, AStoreThatLostItsHeadIsNotStartedOver) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Put("a", "1").ok());
  engine_.reset();
  fs::rename(directory_.path("store") + "/CURRENT", directory_.path("store") + "/CURRENT.lost");
  EXPECT_EQ(ErrorReason(Open()), "STORE_CORRUPT");
  fs::rename(directory_.path("store") + "/CURRENT.lost", directory_.path("store") + "/CURRENT");
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Get("a"), "1");
}

TEST_F(RocksDbEngineTest, ADirectoryThatCantBeMadeIsNamed) {
  const auto engine =
      RocksDbEngine::Open({.directory = "/proc/bellwire/registry", .clock = &clock_});
  EXPECT_EQ(engine.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(engine.status().message().find("/proc/bellwire/registry"), absl::string_view::npos);
}

// --- Failed writes.

TEST_F(RocksDbEngineTest, AFullDiskRefusesWritesUntilThereIsRoom) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Put("before", "1").ok());
  faults_->set_fault(FaultFileSystem::Fault::kNoSpace);
  for (int i = 0; i < 3; ++i) {
    const absl::Status status = Put("lost", "1");
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(ErrorReason(status), "REGISTRY_UNAVAILABLE");
    clock_.Advance(kStoreReopenInterval);
  }
  EXPECT_EQ(Get("before"), "REGISTRY_UNAVAILABLE");
  faults_->set_fault(FaultFileSystem::Fault::kNone);
  EXPECT_EQ(Get("before"), "REGISTRY_UNAVAILABLE") << "not tried again yet";
  clock_.Advance(kStoreReopenInterval);
  EXPECT_EQ(Get("before"), "1");
  ASSERT_TRUE(Put("after", "1").ok());
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Get("before"), "1");
  EXPECT_EQ(Get("lost"), "-");
  EXPECT_EQ(Get("after"), "1");
}

TEST_F(RocksDbEngineTest, AFailedSyncIsNotAnsweredOkAndNothingSyncedIsLost) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Put("before", "1").ok());
  faults_->set_fault(FaultFileSystem::Fault::kSyncFails);
  EXPECT_EQ(Put("unknown", "1").code(), absl::StatusCode::kUnavailable);
  faults_->set_fault(FaultFileSystem::Fault::kNone);
  clock_.Advance(kStoreReopenInterval);
  ASSERT_TRUE(Put("after", "1").ok());
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Get("before"), "1");
  EXPECT_EQ(Get("after"), "1");
}

// Wherever the disk begins to fail, in a start, a commit or a close: the process lives, keeps what
// it answered OK, and goes on when the disk is well again.
TEST_F(RocksDbEngineTest, WhateverChangeOfTheDiskFailsNothingThatWasAnsweredOkIsLost) {
  using Fault = FaultFileSystem::Fault;
  // Not each, for time; the three faults begin at different ones.
  constexpr uint64_t kStep = 11;
  for (const Fault fault : {Fault::kNoSpace, Fault::kSyncFails, Fault::kReadOnly}) {
    bool reached = true;
    for (uint64_t changes = static_cast<uint64_t>(fault) % kStep; reached; changes += kStep) {
      engine_.reset();
      fs::remove_all(directory_.path("store"));
      ASSERT_LT(changes, 2000u);
      faults_->SetFaultAfter(fault, changes);
      const uint64_t before = faults_->changes();
      std::vector<std::string> kept;
      for (int start = 0; start < 3; ++start) {
        if (const absl::Status opened = Open(); !opened.ok()) {
          ASSERT_TRUE(absl::IsUnavailable(opened)) << opened;
          continue;
        }
        for (int i = 0; i < 4; ++i) {
          const std::string key = absl::StrCat("key", start, i);
          const absl::Status put = Put(key, std::string(3000, 'x'));
          if (put.ok()) {
            kept.push_back(key);
          } else {
            ASSERT_TRUE(absl::IsUnavailable(put)) << put;
          }
          clock_.Advance(kStoreReopenInterval);
        }
      }
      reached = faults_->changes() - before > changes;
      faults_->set_fault(Fault::kNone);
      const absl::Status opened = Open();
      ASSERT_TRUE(opened.ok()) << opened << "; fault " << static_cast<int>(fault) << " after "
                               << changes;
      ASSERT_TRUE(Put("after", "1").ok());
      for (const std::string& key : kept) {
        ASSERT_EQ(Get(key), std::string(3000, 'x'))
            << key << "; fault " << static_cast<int>(fault) << " after " << changes;
      }
    }
  }
}

// --- Recent writes: in the log, and not in the tables yet.

TEST_F(RocksDbEngineTest, ACrashLosesNothingThatTheTablesHaveNotHeardOf) {
  max_recent_writes_bytes_ = 2000;
  ASSERT_TRUE(Open().ok());
  std::mt19937 random(1);
  std::map<KvKey, std::string, KvKeyLess> model;
  for (int commit = 0; commit < 300; ++commit) {
    WriteSet writes;
    for (size_t n = 1 + random() % 4; n > 0; --n) {
      constexpr Family kFamilies[] = {Family::kDevices, Family::kOutbox, Family::kLives};
      KvKey key{kFamilies[random() % 3],
                absl::StrCat("device ", 100'000'000 + random() % 8, random() % 4)};
      if (random() % 3 == 0) {
        model.erase(key);
        writes[std::move(key)] = std::nullopt;
      } else {
        Change change(std::string(random() % 100, static_cast<char>('a' + commit % 26)));
        change.is_new = model.count(key) + writes.count(key) == 0;
        model[key] = *change.value;
        writes[std::move(key)] = std::move(change);
      }
    }
    ASSERT_TRUE(engine_->Commit(writes).ok());
    if (commit % 10 != 0) continue;
    const std::string copy = Crashed();
    // To read only, to write, and to write once more.
    for (const bool read_only : {true, false, false}) {
      const auto engine = OpenCopy(copy, read_only);
      ASSERT_TRUE(engine.ok()) << engine.status();
      std::map<KvKey, std::string, KvKeyLess> found;
      for (const Family family : {Family::kDevices, Family::kOutbox, Family::kLives}) {
        ASSERT_TRUE((*engine)
                        ->Scan(family, "", "z",
                               [&](absl::string_view key, absl::string_view value) {
                                 found[{family, std::string(key)}] = std::string(value);
                                 return true;
                               })
                        .ok());
      }
      ASSERT_TRUE(std::equal(model.begin(), model.end(), found.begin(), found.end(),
                             [](const auto& a, const auto& b) {
                               return a.first.family == b.first.family &&
                                      a.first.key == b.first.key && a.second == b.second;
                             }))
          << commit << ": " << model.size() << " and " << found.size();
    }
    // Now and then the crash is one, and the store goes on from there.
    if (commit % 100 == 0) {
      ASSERT_TRUE(Open().ok());
    }
  }
}

// RocksDB's own tools know of everything: a checkpoint, a repair or a compaction loses nothing.
TEST_F(RocksDbEngineTest, ACompactionByRocksDbItselfLosesNothing) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Put("a", "1").ok());
  engine_.reset();
  rocksdb::DBOptions options;
  std::vector<std::string> names;
  ASSERT_TRUE(rocksdb::DB::ListColumnFamilies(options, directory_.path("store"), &names).ok());
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const std::string& name : names) {
    families.emplace_back(name, rocksdb::ColumnFamilyOptions());
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(options, directory_.path("store"), families, &handles, &db).ok());
  for (rocksdb::ColumnFamilyHandle* handle : handles) {
    ASSERT_TRUE(db->Flush(rocksdb::FlushOptions(), handle).ok());
    ASSERT_TRUE(db->CompactRange(rocksdb::CompactRangeOptions(), handle, nullptr, nullptr).ok());
    ASSERT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
  }
  delete db;
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Get("a"), "1");
}

TEST_F(RocksDbEngineTest, ItsMemoryIsWhatWasWrittenAndIsInNoTable) {
  ASSERT_TRUE(Open().ok());
  const uint64_t empty = engine_->MemoryBytes();
  constexpr uint64_t kBytes = 4 << 20;
  ASSERT_TRUE(Put("a", std::string(kBytes, 'x')).ok());
  EXPECT_GE(engine_->MemoryBytes(), empty + kBytes);
}

TEST_F(RocksDbEngineTest, TheCommitLogDoesNotGrow) {
  max_recent_writes_bytes_ = 1000;
  ASSERT_TRUE(Open().ok());
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(Put(absl::StrCat("device ", 100'000'000 + i), std::string(600, 'x')).ok());
  }
  EXPECT_LE(Entries(), 4u) << "what the tables know is not kept";
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Entries(), 0u) << "a start tells the tables everything";
  EXPECT_EQ(Get("device 100000000"), std::string(600, 'x'));
  EXPECT_EQ(Get("device 100000099"), std::string(600, 'x'));
}

TEST_F(RocksDbEngineTest, WhatWasWrittenTogetherDoesNotLeaveInOneCommit) {
  max_recent_writes_bytes_ = 64 * 1024;
  ASSERT_TRUE(Open().ok());
  WriteSet crowd;
  const auto name = [](int i) { return absl::StrCat("device ", 100'000'000 + i); };
  for (int i = 0; i < 1000; ++i) crowd[{Family::kDevices, name(i)}] = std::string(1000, 'x');
  ASSERT_TRUE(engine_->Commit(crowd).ok());
  const auto log_bytes = [this] {
    uint64_t bytes = 0;
    for (const fs::path& log : Files(".log")) bytes += fs::file_size(log);
    return bytes;
  };
  uint64_t most = 0;
  for (int i = 0; i < 20; ++i) {
    const uint64_t before = log_bytes();
    ASSERT_TRUE(Put(name(2000 + i), std::string(10'000, 'y')).ok());
    most = std::max(most, log_bytes() - before);
  }
  EXPECT_GT(most, 100'000u) << "they did leave";
  EXPECT_LT(most, 200'000u) << "in steps";
  EXPECT_LE(Entries(), 8u) << "and all of them";
  ASSERT_TRUE(Open().ok());
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(Get(name(i)), std::string(1000, 'x')) << i;
}

TEST_F(RocksDbEngineTest, AnEntryOfTheCommitLogThatIsLostIsReported) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Put("a", "1").ok());
  ASSERT_TRUE(Put("b", "1").ok());
  ASSERT_TRUE(Put("c", "1").ok());
  WithDatabase([this](rocksdb::DB* db) {
    ASSERT_TRUE(
        db->Delete(rocksdb::WriteOptions(), commits_, std::string("\0\0\0\0\0\0\0\2", 8)).ok());
  });
  for (const bool read_only : {true, false}) {
    EXPECT_EQ(ErrorReason(OpenCopy(Crashed(), read_only).status()), "STORE_CORRUPT");
  }
}

// --- Damage.

// What lies in the tables, in the memtables, in the log and in RecentWrites alone.
TEST_F(RocksDbEngineTest, ACheckpointUnderCommitsHasAllThatWasCommittedBefore) {
  max_recent_writes_bytes_ = 64 * 1024;
  ASSERT_TRUE(Open().ok());
  const TempDir elsewhere;
  fs::create_directories(elsewhere.path("store"));
  std::atomic<int> committed = 0;
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int n = 0; !stop; ++n) {
      ASSERT_TRUE(Put(absl::StrCat("k", n), std::string(300, 'v')).ok());
      ASSERT_TRUE(engine_->Commit({{KvKey{Family::kLives, absl::StrCat("k", n)}, "life"}}).ok());
      committed = n + 1;
    }
  });
  const auto wait_for = [&](int n) {
    while (committed < n) std::this_thread::yield();
  };
  std::vector<int> before;
  for (int i = 0; i < 5; ++i) {
    wait_for((i + 1) * 200);
    before.push_back(committed);
    const absl::Status made = engine_->Checkpoint(absl::StrCat(elsewhere.path("store"), "/", i));
    EXPECT_TRUE(made.ok()) << made;
  }
  stop = true;
  writer.join();
  for (int i = 0; i < 5; ++i) {
    auto opened = RocksDbEngine::Open(
        {.directory = absl::StrCat(elsewhere.path("store"), "/", i), .clock = &clock_});
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_GT((*opened)->numbers_after(), engine_->numbers_after());
    for (int n = 0; n < before[static_cast<size_t>(i)]; ++n) {
      ASSERT_NE(Get(**opened, absl::StrCat("k", n)), "-") << n;
      ASSERT_TRUE((*opened)->Get(Family::kLives, absl::StrCat("k", n))->has_value()) << n;
    }
    // Its writes are its own.
    ASSERT_TRUE((*opened)->Commit({{KvKey{Family::kDevices, "k0"}, "other"}}).ok());
  }
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Get("k0"), std::string(300, 'v'));
}

TEST_F(RocksDbEngineTest, ACheckpointOnAnotherFileSystemIsACopy) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Put("a", "1").ok());
  std::string other = "/dev/shm/checkpoint.XXXXXX";
  ASSERT_NE(mkdtemp(other.data()), nullptr);
  struct stat here {};
  struct stat there {};
  ASSERT_EQ(stat(directory_.path("store").c_str(), &here), 0);
  ASSERT_EQ(stat(other.c_str(), &there), 0);
  ASSERT_NE(here.st_dev, there.st_dev) << "the test needs two file systems";
  const absl::Status made = engine_->Checkpoint(other + "/copy");
  EXPECT_TRUE(made.ok()) << made;
  {
    auto opened = RocksDbEngine::Open({.directory = other + "/copy", .clock = &clock_});
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_EQ(Get(**opened, "a"), "1");
  }
  fs::remove_all(other);
}

TEST_F(RocksDbEngineTest, ACheckpointThatTheDiskHasNoRoomForLeavesNothing) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Put("a", "1").ok());
  const TempDir elsewhere;
  fs::create_directories(elsewhere.path("store"));
  bool made = false;
  for (uint64_t changes = 0; !made; ++changes) {
    ASSERT_LT(changes, 200u);
    faults_->SetFaultAfter(FaultFileSystem::Fault::kNoSpace, changes);
    const absl::Status status = engine_->Checkpoint(elsewhere.path("store") + "/copy");
    faults_->set_fault(FaultFileSystem::Fault::kNone);
    made = status.ok();
    if (made) break;
    EXPECT_EQ(ErrorReason(status), "REGISTRY_UNAVAILABLE") << status;
    EXPECT_TRUE(absl::StrContains(status.message(), "space")) << status;
    EXPECT_FALSE(fs::exists(elsewhere.path("store") + "/copy")) << changes;
    EXPECT_TRUE(Put("a", "1").ok()) << "the store goes on";
  }
  fs::remove_all(elsewhere.path("store") + "/copy");
}

TEST_F(RocksDbEngineTest, ATornEndOfTheLogIsDropped) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Put("a", std::string(1000, 'a')).ok());
  ASSERT_TRUE(Put("b", std::string(1000, 'b')).ok());
  engine_.reset();
  const fs::path log = Files(".log").back();
  fs::resize_file(log, fs::file_size(log) - 10);
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Get("a"), std::string(1000, 'a'));
  EXPECT_EQ(Get("b"), "-");
}

TEST_F(RocksDbEngineTest, AFlippedBitInTheLogIsReported) {
  ASSERT_TRUE(Open().ok());
  for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(Put(key, std::string(1000, 'x')).ok());
  engine_.reset();
  const fs::path log = Files(".log").back();
  FlipBit(log, fs::file_size(log) / 2);
  const absl::Status status = Open();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ErrorReason(status), "STORE_CORRUPT");
}

TEST_F(RocksDbEngineTest, AMissingLogIsReported) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Put("a", "1").ok());
  engine_.reset();
  fs::remove(Files(".log").back());
  EXPECT_EQ(ErrorReason(Open()), "STORE_CORRUPT");
}

TEST_F(RocksDbEngineTest, AFlippedBitInATableIsNeverServed) {
  ASSERT_TRUE(Open().ok());
  std::string value;
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&value, i);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Put(absl::StrCat("key", i), value).ok());
  // A start writes what it replays into tables.
  ASSERT_TRUE(Open().ok());
  engine_.reset();
  const std::vector<fs::path> tables = Files(".sst");
  ASSERT_FALSE(tables.empty());
  const size_t size = fs::file_size(tables.back());
  for (size_t at = 0; at < 8; ++at) {
    const size_t offset = size * at / 8 + 20;
    FlipBit(tables.back(), offset);
    const absl::Status status = Open();
    size_t reported = status.ok() ? 0 : 1;
    for (int i = 0; status.ok() && i < 100; ++i) {
      const std::string got = Get(absl::StrCat("key", i));
      if (got == "STORE_CORRUPT") {
        ++reported;
      } else {
        ASSERT_EQ(got, value) << "served damaged, bit at " << offset;
      }
    }
    EXPECT_GT(reported, 0) << "bit at " << offset;
    engine_.reset();
    FlipBit(tables.back(), offset);
  }
}

}  // namespace
}  // namespace bellwire::registry
