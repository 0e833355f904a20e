// PostgresEngine and PostgresCommitLog keep what every engine and every log promises, over a real
// server; also where the table of records hears of writes at once.

#include <memory>
#include <optional>
#include <string>

#include "common/clock.h"
#include "common/limits.h"
#include "gtest/gtest.h"
#include "registry/engine/postgres/commit_statement.h"
#include "registry/engine/postgres/postgres_commit_log.h"
#include "registry/engine/postgres/postgres_engine.h"
#include "registry/engine/postgres/testing/postgres_server.h"
#include "registry/testing/commit_log_contract.h"
#include "registry/testing/engine_contract.h"

namespace bellwire::registry {
namespace {

// One for all tests of this program.
PostgresServer& Server() {
  static PostgresServer server;
  return server;
}

std::unique_ptr<PgConnection> ConnectTo(const std::string& database) {
  auto connection = PgConnection::Connect(
      {.database = database, .name = "test", .clock = RealClock()});
  EXPECT_TRUE(connection.ok()) << connection.status();
  return *std::move(connection);
}

std::string NewStore(int partitions) {
  const std::string database = Server().NewDatabase();
  EXPECT_TRUE(MakeStore(ConnectTo(database).get(), partitions).ok());
  return database;
}

class PostgresEngineUnderTest final : public EngineUnderTest {
 public:
  explicit PostgresEngineUnderTest(uint64_t max_recent_writes_bytes)
      : max_recent_writes_bytes_(max_recent_writes_bytes), database_(NewStore(8)) {
    Restart();
  }
  KvEngine& engine() override { return *engine_; }
  void Restart() override {
    engine_.reset();
    auto engine = PostgresEngine::Open({.database = database_,
                                        .durability = DatabaseDurability::kSingle,
                                        .clock = RealClock(),
                                        .max_recent_writes_bytes = max_recent_writes_bytes_});
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }

 private:
  const uint64_t max_recent_writes_bytes_;
  const std::string database_;
  std::unique_ptr<PostgresEngine> engine_;
};

template <uint64_t bytes>
std::unique_ptr<EngineUnderTest> NewEngine() {
  return std::make_unique<PostgresEngineUnderTest>(bytes);
}

INSTANTIATE_TEST_SUITE_P(Postgres, EngineContractTest,
                         testing::Values(NewEngine<kMaxRecentWritesBytes>, NewEngine<500>,
                                         NewEngine<0>));

class PostgresCommitLogUnderTest final : public CommitLogUnderTest {
 public:
  PostgresCommitLogUnderTest() : database_(NewStore(1)) { Restart(); }

  CommitLog& log() override { return *log_; }
  absl::Status Commit() override {
    const PgQuery queries[] = {statement_.Query([](int) { return 0; }, ++commit_no_)};
    const PgAnswer answer = connection_->Run(queries, absl::Seconds(10), "writing");
    EXPECT_TRUE(!answer.status.ok() || statement_.WasMade(answer.rows[0]));
    statement_.Clear();
    return answer.status;
  }
  void Restart() override {
    statement_.Clear();
    connection_ = ConnectTo(database_);
    log_.emplace(connection_.get(), /*partition=*/1, &statement_);
  }

 private:
  const std::string database_;
  std::unique_ptr<PgConnection> connection_;
  CommitStatement statement_;
  std::optional<PostgresCommitLog> log_;
  int64_t commit_no_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Postgres, CommitLogContractTest, testing::Values([] {
                           return std::make_unique<PostgresCommitLogUnderTest>();
                         }));

}  // namespace
}  // namespace bellwire::registry
