// The store over RocksDB passes the contract, with every restart a real one: close and open again.

#include <memory>
#include <string>
#include <vector>

#include "common/testing/temp_dir.h"
#include "gtest/gtest.h"
#include "registry/check/check.h"
#include "registry/engine/rocksdb/rocksdb_engine.h"
#include "registry/server/kv_store.h"
#include "registry/testing/store_contract.h"
#include "registry/testing/quotas_contract.h"
#include "registry/testing/topics_contract.h"

namespace bellwire::registry {
namespace {

class RocksDbStoreUnderTest final : public StoreUnderTest {
 public:
  RocksDbStoreUnderTest() { Open(); }

  Store& store() override { return *store_; }
  void Restart() override {
    store_.reset();
    Open();
  }
  std::vector<std::string> Problems() override {
    CheckReport report;
    CheckRecords(
        *engine_, [](uint64_t) {}, &report);
    std::vector<std::string> problems;
    for (const CheckProblem& p : report.problems) problems.push_back(p.where + ": " + p.what);
    return problems;
  }

 private:
  void Open() {
    auto engine = RocksDbEngine::Open({.directory = directory_.path("store"), .clock = &clock});
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = engine->get();
    store_ = std::make_unique<KvStore>(
        *std::move(engine),
        KvStore::Options{
            .clock = &clock,
            .random = [this] { return ++random_ * 0x9e3779b97f4a7c15; },
            .on_hand_over =
                [this](ConnectorRequest request) { handed_over.push_back(std::move(request)); }});
  }

  TempDir directory_;
  uint64_t random_ = 0;
  std::unique_ptr<KvStore> store_;
  // The store's.
  const KvEngine* engine_ = nullptr;
};

std::unique_ptr<StoreUnderTest> NewRocksDbStore() {
  return std::make_unique<RocksDbStoreUnderTest>();
}
INSTANTIATE_TEST_SUITE_P(RocksDb, StoreContractTest, testing::Values(NewRocksDbStore));
INSTANTIATE_TEST_SUITE_P(RocksDb, TopicsContractTest, testing::Values(NewRocksDbStore));
INSTANTIATE_TEST_SUITE_P(RocksDb, QuotasContractTest, testing::Values(NewRocksDbStore));

}  // namespace
}  // namespace bellwire::registry
