// The store over PostgreSQL passes the contract: the domain logic knows nothing of it. Every
// restart is a real one: close and open again.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "registry/check/check.h"
#include "registry/engine/postgres/postgres_engine.h"
#include "registry/engine/postgres/testing/engine_steps.h"
#include "registry/engine/postgres/testing/postgres_server.h"
#include "registry/server/kv_store.h"
#include "registry/testing/store_contract.h"
#include "registry/testing/quotas_contract.h"
#include "registry/testing/topics_contract.h"

namespace bellwire::registry {
namespace {

PostgresServer& Server() {
  static PostgresServer server;
  return server;
}

class PostgresStoreUnderTest final : public StoreUnderTest {
 public:
  PostgresStoreUnderTest() : database_(Server().NewDatabase()) {
    MakeStoreIn(database_);
    Open();
  }

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
    auto engine = PostgresEngine::Open({.database = database_,
                                        .durability = DatabaseDurability::kSingle,
                                        .clock = RealClock()});
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

  const std::string database_;
  uint64_t random_ = 0;
  std::unique_ptr<KvStore> store_;
  // The store's.
  const KvEngine* engine_ = nullptr;
};

std::unique_ptr<StoreUnderTest> NewPostgresStore() {
  return std::make_unique<PostgresStoreUnderTest>();
}
INSTANTIATE_TEST_SUITE_P(Postgres, StoreContractTest, testing::Values(NewPostgresStore));
INSTANTIATE_TEST_SUITE_P(Postgres, TopicsContractTest, testing::Values(NewPostgresStore));
INSTANTIATE_TEST_SUITE_P(Postgres, QuotasContractTest, testing::Values(NewPostgresStore));

}  // namespace
}  // namespace bellwire::registry
