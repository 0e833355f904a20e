// A store of format 4, made by a server of that time and killed under load (testdata/format4), is
// upgraded at the first start: every message that was answered OK is there.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/simulated_clock.h"
#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"
#include "registry/engine/rocksdb/rocksdb_engine.h"
#include "registry/server/kv_store.h"
#include "registry/testing/fault_file_system.h"
#include "registry/testing/shared_engine.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"

namespace bellwire::registry {
namespace {

namespace fs = std::filesystem;

constexpr char kTestdata[] = "registry/engine/rocksdb/testdata/format4";

class UpgradeTest : public testing::Test {
 protected:
  UpgradeTest() {
    std::ifstream file(absl::StrCat(kTestdata, "/answered_ok.txt"));
    for (std::string line; std::getline(file, line);) answered_ok_.push_back(line);
    std::sort(answered_ok_.begin(), answered_ok_.end());
    NewCopy();
  }

  // The store as it was found.
  void NewCopy() {
    fs::remove_all(directory_.path("store"));
    fs::create_directory(directory_.path("store"));
    for (const char* name : {"000004.log", "CURRENT", "IDENTITY", "MANIFEST-000005"}) {
      const fs::path copy = absl::StrCat(directory_.path("store"), "/", name);
      fs::copy_file(absl::StrCat(kTestdata, "/", name), copy);
      fs::permissions(copy, fs::perms::owner_read | fs::perms::owner_write);
    }
  }

  absl::StatusOr<std::unique_ptr<RocksDbEngine>> Open(bool read_only = false) {
    return RocksDbEngine::Open({.directory = directory_.path("store"),
                                .clock = &clock_,
                                .env = env_.get(),
                                .read_only = read_only});
  }

  // The payloads in all mailboxes.
  std::vector<std::string> Waiting(RocksDbEngine& engine) {
    std::vector<DeviceId> devices;
    EXPECT_TRUE(engine
                    .Scan(Family::kDevices, "", std::string(20, '\xff'),
                          [&](absl::string_view key, absl::string_view) {
                            const auto id = DeviceId::FromBytes(key.substr(0, DeviceId::kSize));
                            if (devices.empty() || devices.back() != *id) devices.push_back(*id);
                            return true;
                          })
                    .ok());
    KvStore store(std::make_unique<SharedEngine>(&engine), {.clock = &clock_});
    std::vector<std::string> payloads;
    for (const DeviceId& device : devices) {
      for (uint64_t after = 0, more = true; more;) {
        const auto page = store.Pull(device, after, {.max_bytes = 1 << 20, .max_messages = 1000});
        EXPECT_TRUE(page.ok()) << page.status();
        if (!page.ok()) break;
        for (const Envelope& message : page->messages) payloads.push_back(message.payload());
        after = page->complete_to_seq;
        more = page->more;
      }
    }
    std::sort(payloads.begin(), payloads.end());
    return payloads;
  }

  // Everything that was answered OK waits, and nothing twice.
  void ExpectComplete(RocksDbEngine& engine) {
    const std::vector<std::string> waiting = Waiting(engine);
    EXPECT_TRUE(std::includes(waiting.begin(), waiting.end(), answered_ok_.begin(),
                              answered_ok_.end()));
    EXPECT_EQ(std::adjacent_find(waiting.begin(), waiting.end()), waiting.end());
  }

  // Opens the directory with RocksDB itself.
  void WithDatabase(const std::function<void(rocksdb::DB*, const std::map<std::string,
                                             rocksdb::ColumnFamilyHandle*>&)>& use) {
    std::vector<std::string> names;
    ASSERT_TRUE(rocksdb::DB::ListColumnFamilies({}, directory_.path("store"), &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const std::string& name : names) families.push_back({name, {}});
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* db = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open({}, directory_.path("store"), families, &handles, &db).ok());
    std::map<std::string, rocksdb::ColumnFamilyHandle*> by_name;
    for (rocksdb::ColumnFamilyHandle* handle : handles) by_name[handle->GetName()] = handle;
    use(db, by_name);
    for (rocksdb::ColumnFamilyHandle* handle : handles) {
      ASSERT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
    }
    delete db;
  }

  TempDir directory_;
  // Its start is before the store's time, so nothing has expired.
  SimulatedClock clock_;
  std::shared_ptr<FaultFileSystem> faults_ = std::make_shared<FaultFileSystem>();
  std::unique_ptr<rocksdb::Env> env_ = rocksdb::NewCompositeEnv(faults_);
  std::vector<std::string> answered_ok_;
};

TEST_F(UpgradeTest, EveryMessageThatWasAnsweredOkIsThere) {
  ASSERT_GT(answered_ok_.size(), 200u);
  for (const char* start : {"the first", "the second"}) {
    auto engine = Open();
    ASSERT_TRUE(engine.ok()) << start << ": " << engine.status();
    ExpectComplete(**engine);
  }
  WithDatabase([](rocksdb::DB* db, const auto&) {
    std::string bytes;
    storage::v1::Format format;
    ASSERT_TRUE(db->Get({}, "format", &bytes).ok());
    ASSERT_TRUE(format.ParseFromString(bytes));
    EXPECT_EQ(format.version(), 6u);
  });
}

// Why there is anything to do: RocksDB itself knows of none of these messages.
TEST_F(UpgradeTest, MessagesAreMissingIfTheBlobsAreSkipped) {
  WithDatabase([](rocksdb::DB* db, const auto& families) {
    const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator({}, families.at("devices")));
    it->SeekToFirst();
    EXPECT_FALSE(it->Valid());
  });
  // And what RocksDB alone opened has lost them for good.
  auto engine = Open();
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_TRUE(Waiting(**engine).empty());
}

TEST_F(UpgradeTest, AReaderSeesEverythingAndChangesNothing) {
  const auto listing = [&] {
    std::map<std::string, uint64_t> files;
    for (const auto& entry : fs::directory_iterator(directory_.path("store"))) {
      if (entry.path().filename() == "bellwire.lock") continue;
      files[entry.path().filename()] = entry.file_size();
    }
    return files;
  };
  const auto before = listing();
  auto engine = Open(/*read_only=*/true);
  ASSERT_TRUE(engine.ok()) << engine.status();
  ExpectComplete(**engine);
  engine->reset();
  EXPECT_EQ(listing(), before);
}

TEST_F(UpgradeTest, AnUpgradeThatIsBrokenOffBeginsAgain) {
  faults_->set_fault(FaultFileSystem::Fault::kNone);
  ASSERT_TRUE(Open().ok());
  const uint64_t changes = faults_->changes();
  ASSERT_GT(changes, 5u);
  for (uint64_t at = 0; at < changes; ++at) {
    NewCopy();
    faults_->SetFaultAfter(FaultFileSystem::Fault::kSyncFails, at);
    (void)Open();
    faults_->set_fault(FaultFileSystem::Fault::kNone);
    auto engine = Open();
    ASSERT_TRUE(engine.ok()) << at << ": " << engine.status();
    ExpectComplete(**engine);
  }
}

// As the version before topics left it: without their column family.
TEST_F(UpgradeTest, AStoreOfVersion5GetsTheTopicsFamily) {
  ASSERT_TRUE(Open().ok());
  const auto make_old = [this] {
    WithDatabase([](rocksdb::DB* db, const auto& families) {
      storage::v1::Format format;
      format.set_version(5);
      ASSERT_TRUE(db->Put({}, "format", format.SerializeAsString()).ok());
      ASSERT_TRUE(db->DropColumnFamily(families.at("topics")).ok());
    });
  };
  make_old();
  {
    auto reader = Open(/*read_only=*/true);
    ASSERT_TRUE(reader.ok()) << reader.status();
    ExpectComplete(**reader);
    EXPECT_EQ(*(*reader)->Get(Family::kTopics, "a"), std::nullopt);
    EXPECT_TRUE((*reader)
                    ->Scan(Family::kTopics, "", "\xff",
                           [](absl::string_view, absl::string_view) { return true; })
                    .ok());
  }
  {
    auto engine = Open();
    ASSERT_TRUE(engine.ok()) << engine.status();
    ExpectComplete(**engine);
    ASSERT_TRUE((*engine)->Commit({{{Family::kTopics, "a"}, "1"}}).ok());
  }
  {
    auto engine = Open();
    ASSERT_TRUE(engine.ok()) << engine.status();
    EXPECT_EQ(**(*engine)->Get(Family::kTopics, "a"), "1");
  }
  // A store of this version without it has lost it.
  WithDatabase([](rocksdb::DB* db, const auto& families) {
    ASSERT_TRUE(db->DropColumnFamily(families.at("topics")).ok());
  });
  EXPECT_EQ(ErrorReason(Open().status()), "STORE_CORRUPT");
}

TEST_F(UpgradeTest, ANewerFormatIsRefused) {
  ASSERT_TRUE(Open().ok());
  WithDatabase([](rocksdb::DB* db, const auto&) {
    storage::v1::Format format;
    format.set_version(7);
    ASSERT_TRUE(db->Put({}, "format", format.SerializeAsString()).ok());
  });
  const absl::Status status = Open().status();
  EXPECT_EQ(ErrorReason(status), "STORE_FORMAT");
  EXPECT_NE(status.message().find("version 7"), absl::string_view::npos) << status;
}

}  // namespace
}  // namespace bellwire::registry
