// A store that is moved is the same store. Each restart of the contract is a move to the other
// engine: tokens, messages, receipts, sessions, topics and everything else that the contract asks
// for after a restart has survived an export, an import and the checks of both sides.

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"
#include "registry/check/database_check.h"
#include "registry/check/store_check.h"
#include "registry/engine/postgres/postgres_engine.h"
#include "registry/engine/postgres/testing/engine_steps.h"
#include "registry/engine/postgres/testing/postgres_server.h"
#include "registry/engine/rocksdb/rocksdb_engine.h"
#include "registry/server/kv_store.h"
#include "registry/testing/quotas_contract.h"
#include "registry/testing/store_contract.h"
#include "registry/testing/topics_contract.h"
#include "registry/transfer/transfer.h"

namespace bellwire::registry {
namespace {

PostgresServer& Server() {
  static PostgresServer server;
  return server;
}

class MovingStoreUnderTest final : public StoreUnderTest {
 public:
  MovingStoreUnderTest() {
    std::filesystem::create_directories(DataDirectory());
    OpenRocksDb();
  }

  Store& store() override { return *store_; }

  void Restart() override {
    store_.reset();
    std::string stream;
    const auto exported = ExportStore(
        *Source(), clock.WallNow(),
        [&](absl::string_view piece) {
          absl::StrAppend(&stream, piece);
          return absl::OkStatus();
        },
        [](uint64_t) {});
    ASSERT_TRUE(exported.ok()) << exported.status();
    in_database_ = !in_database_;
    if (in_database_) {
      database_ = Server().NewDatabase();
      MakeStoreIn(database_);
    } else {
      ++directory_number_;
    }
    absl::string_view rest = stream;
    const auto imported = ImportStore(
        [&](absl::Span<char> buffer) -> absl::StatusOr<size_t> {
          const size_t size = std::min(buffer.size(), rest.size());
          std::copy_n(rest.data(), size, buffer.data());
          rest.remove_prefix(size);
          return size;
        },
        [&](uint64_t numbers) {
          return in_database_ ? OpenDatabaseTarget(database_, numbers, RealClock())
                              : OpenRocksDbTarget(DataDirectory(), numbers, RealClock());
        },
        [](uint64_t) {});
    ASSERT_TRUE(imported.ok()) << imported.status();
    EXPECT_EQ(imported->fingerprint, exported->fingerprint);
    EXPECT_EQ(Problems(), std::vector<std::string>{}) << "of the target";
    if (in_database_) {
      OpenDatabase();
    } else {
      OpenRocksDb();
    }
  }

  // Of what is committed, by the check that an operator runs.
  std::vector<std::string> Problems() override {
    if (in_database_) {
      const auto report =
          CheckDatabase({.database = database_, .clock = RealClock()}, [](int, int) {});
      return report.ok() ? Lines(report->records)
                         : std::vector<std::string>{report.status().ToString()};
    }
    // It wants no server.
    store_.reset();
    const auto report = CheckStore({.directory = DataDirectory() + "/registry"},
                                   [](absl::string_view, uint64_t) {});
    return report.ok() ? Lines(report->records)
                       : std::vector<std::string>{report.status().ToString()};
  }

 private:
  static std::vector<std::string> Lines(const CheckReport& report) {
    std::vector<std::string> lines;
    for (const CheckProblem& p : report.problems) lines.push_back(p.where + ": " + p.what);
    return lines;
  }
  std::string DataDirectory() const { return absl::StrCat(parent_.path(), "/", directory_number_); }
  std::unique_ptr<StoreSource> Source() const {
    auto source = in_database_ ? OpenDatabaseSource(database_, /*online=*/false, RealClock())
                               : OpenRocksDbSource(DataDirectory() + "/registry");
    EXPECT_TRUE(source.ok()) << source.status();
    return *std::move(source);
  }

  void OpenRocksDb() {
    auto engine =
        RocksDbEngine::Open({.directory = DataDirectory() + "/registry", .clock = &clock});
    ASSERT_TRUE(engine.ok()) << engine.status();
    OpenStore(*std::move(engine));
  }
  void OpenDatabase() {
    OpenStore(OpenEngine(
        {.database = database_, .durability = DatabaseDurability::kSingle, .clock = RealClock()}));
  }
  void OpenStore(std::unique_ptr<KvEngine> engine) {
    store_ = std::make_unique<KvStore>(
        std::move(engine),
        KvStore::Options{
            .clock = &clock,
            .random = [this] { return ++random_ * 0x9e3779b97f4a7c15; },
            .on_hand_over =
                [this](ConnectorRequest request) { handed_over.push_back(std::move(request)); }});
  }

  TempDir parent_;
  int directory_number_ = 0;
  bool in_database_ = false;
  std::string database_;
  uint64_t random_ = 0;
  std::unique_ptr<KvStore> store_;
};

std::unique_ptr<StoreUnderTest> NewMovingStore() {
  return std::make_unique<MovingStoreUnderTest>();
}
INSTANTIATE_TEST_SUITE_P(Moved, StoreContractTest, testing::Values(NewMovingStore));
INSTANTIATE_TEST_SUITE_P(Moved, TopicsContractTest, testing::Values(NewMovingStore));
// Rates are in memory, and each start of this store is a move.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(QuotasContractTest);

}  // namespace
}  // namespace bellwire::registry
