// A commit writes all or nothing, as the leases say at the moment at which it holds them: over a
// real server.

#include "registry/engine/postgres/commit_statement.h"

#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "registry/engine/postgres/schema.h"
#include "registry/engine/postgres/testing/postgres_server.h"

namespace bellwire::registry {
namespace {

PostgresServer& Server() {
  static PostgresServer server;
  return server;
}

class CommitStatementTest : public testing::Test {
 protected:
  CommitStatementTest()
      : database_(Server().NewDatabase()),
        name_(database_.substr(database_.rfind('=') + 1)),
        connection_(Connect()) {
    EXPECT_TRUE(MakeStore(connection_.get(), 4).ok());
    Sql("UPDATE bellwire.leases SET epoch = 7");
    // One of each thing that a commit does, in partitions 1 and 3.
    statement_.Put(1, Family::kTeams, "new", "value");
    Sql("INSERT INTO bellwire.records VALUES (3, 2, 'old', 'value')");
    statement_.Delete(3, Family::kTeams, "old");
    Sql("INSERT INTO bellwire.commit_log VALUES (1, 4, 'entry')");
    statement_.TrimLog(1, 4, 5);
    statement_.AppendToLog(1, 5, "entry");
  }

  std::unique_ptr<PgConnection> Connect() {
    auto connection = PgConnection::Connect(
        {.database = database_, .name = "test", .clock = RealClock()});
    EXPECT_TRUE(connection.ok()) << connection.status();
    return *std::move(connection);
  }
  std::string Sql(const std::string& sql) { return Server().Sql(name_, sql); }

  // Whether it was made, as it says itself.
  bool Commit(int64_t epoch) {
    const PgQuery queries[] = {statement_.Query([=](int) { return epoch; }, /*commit_no=*/9)};
    const PgAnswer answer = connection_->Run(queries, absl::Seconds(60), "committing");
    EXPECT_TRUE(answer.status.ok()) << answer.status;
    return answer.status.ok() && statement_.WasMade(answer.rows[0]);
  }
  void ExpectAll() {
    EXPECT_EQ(Sql("SELECT string_agg(partition || convert_from(key, 'UTF8'), ',')"
                  " FROM bellwire.records"),
              "1new");
    EXPECT_EQ(Sql("SELECT string_agg(commit_no::text, ',') FROM bellwire.commit_log"), "5");
    EXPECT_EQ(Sql("SELECT string_agg(partition::text, ',' ORDER BY partition)"
                  " FROM bellwire.leases WHERE commit_no = 9"),
              "1,3");
  }
  void ExpectNothing() {
    EXPECT_EQ(Sql("SELECT string_agg(partition || convert_from(key, 'UTF8'), ',')"
                  " FROM bellwire.records"),
              "3old");
    EXPECT_EQ(Sql("SELECT string_agg(commit_no::text, ',') FROM bellwire.commit_log"), "4");
    EXPECT_EQ(Sql("SELECT count(*) FROM bellwire.leases WHERE commit_no = 9"), "0");
  }
  // Commits while another transaction, which has done `sql`, holds the rows.
  bool CommitBehind(const std::string& sql) {
    PostgresServer::Session holder(Server(), name_);
    holder.Run("BEGIN");
    holder.Run(sql);
    bool made = false;
    std::thread waits([&] { made = Commit(7); });
    Server().WaitUntil("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
    holder.Run("COMMIT");
    waits.join();
    return made;
  }

  const std::string database_;
  const std::string name_;
  const std::unique_ptr<PgConnection> connection_;
  CommitStatement statement_;
};

TEST_F(CommitStatementTest, WritesAllUnderItsEpoch) {
  EXPECT_TRUE(Commit(7));
  ExpectAll();
}

TEST_F(CommitStatementTest, WritesNothingUnderAnother) {
  EXPECT_FALSE(Commit(6));
  EXPECT_FALSE(Commit(8));
  ExpectNothing();
}

TEST_F(CommitStatementTest, WritesNothingIfOneOfItsPartitionsHasAnother) {
  Sql("UPDATE bellwire.leases SET epoch = 8 WHERE partition = 3");
  EXPECT_FALSE(Commit(7));
  ExpectNothing();
}

TEST_F(CommitStatementTest, OtherPartitionsMayBeAnybodys) {
  Sql("UPDATE bellwire.leases SET epoch = 8 WHERE partition NOT IN (1, 3)");
  EXPECT_TRUE(Commit(7));
  ExpectAll();
}

TEST_F(CommitStatementTest, AnEpochThatIsRaisedWhileItWaitsCounts) {
  EXPECT_FALSE(CommitBehind("UPDATE bellwire.leases SET epoch = 8 WHERE partition = 3"));
  ExpectNothing();
}

TEST_F(CommitStatementTest, ARowThatIsWrittenWhileItWaitsIsStillIts) {
  EXPECT_TRUE(CommitBehind("UPDATE bellwire.leases SET commit_no = 8 WHERE partition = 3"));
  ExpectAll();
}

TEST_F(CommitStatementTest, ATouchIsACommitToo) {
  statement_.Clear();
  EXPECT_TRUE(statement_.empty());
  statement_.Touch(2);
  EXPECT_FALSE(Commit(6));
  EXPECT_TRUE(Commit(7));
  EXPECT_EQ(Sql("SELECT partition FROM bellwire.leases WHERE commit_no = 9"), "2");
}

}  // namespace
}  // namespace bellwire::registry
