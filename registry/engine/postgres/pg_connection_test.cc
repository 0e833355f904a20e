#include "registry/engine/postgres/pg_connection.h"

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gtest/gtest.h"
#include "registry/engine/postgres/testing/postgres_proxy.h"
#include "registry/engine/postgres/testing/postgres_server.h"

namespace bellwire::registry {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

PostgresServer& Server() {
  static PostgresServer server;
  return server;
}

absl::StatusOr<std::unique_ptr<PgConnection>> Connect(const std::string& database) {
  return PgConnection::Connect({.database = database, .name = "test", .clock = RealClock()});
}

constexpr PgStatement kEcho = {
    "echo", "SELECT $1::int8, $2::bytea, array_length($3::bytea[], 1)::int8, ($3::bytea[])[2]"};
constexpr PgStatement kFail = {"fail", "SELECT 1 / $1::int8"};
constexpr PgStatement kBad = {"bad", "SELECT FROM nowhere WHERE"};
constexpr PgStatement kMake = {"", "CREATE TABLE t (a int8 UNIQUE DEFERRABLE INITIALLY DEFERRED)"};
constexpr PgStatement kInsert = {"insert", "INSERT INTO t VALUES ($1::int8) RETURNING a"};
constexpr PgStatement kWait = {"wait", "SELECT pg_catalog.pg_sleep($1::int8)"};

class PgConnectionTest : public testing::Test {
 protected:
  PgConnectionTest() : database_(Server().NewDatabase()) {
    auto connection = Connect(database_);
    EXPECT_TRUE(connection.ok()) << connection.status();
    connection_ = *std::move(connection);
  }
  PgAnswer Run(const std::vector<PgQuery>& queries, absl::Duration timeout = kPatience) {
    return connection_->Run(queries, timeout, "testing");
  }

  const std::string database_;
  std::unique_ptr<PgConnection> connection_;
};

TEST_F(PgConnectionTest, ParametersAndAnswersAreBinary) {
  const std::string bytes("\0\xff'\\", 4);
  PgArray array(PgArray::Of::kBytes);
  array.AddBytes("");
  array.AddBytes(bytes);
  for (int n = 0; n < 2; ++n) {
    const auto rows =
        connection_->Ask(kEcho, {PgInt8(INT64_MIN), PgBytes(bytes), array.value()}, kPatience, "");
    ASSERT_TRUE(rows.ok()) << rows.status();
    ASSERT_EQ(rows->count(), 1);
    EXPECT_EQ(rows->Int8(0, 0), INT64_MIN);
    EXPECT_EQ(rows->Bytes(0, 1), bytes);
    EXPECT_EQ(rows->Int8(0, 2), 2);
    EXPECT_EQ(rows->Bytes(0, 3), bytes);
  }
  const auto rows = connection_->Ask(
      kEcho, {std::nullopt, std::nullopt, PgArray(PgArray::Of::kBytes).value()}, kPatience, "");
  ASSERT_TRUE(rows.ok());
  EXPECT_TRUE(rows->is_null(0, 0) && rows->is_null(0, 1) && rows->is_null(0, 2));
}

TEST_F(PgConnectionTest, AQueryThatIsRefusedLeavesTheOthersAlone) {
  for (int n = 0; n < 2; ++n) {
    const PgAnswer answer =
        Run({{&kEcho, {PgInt8(1), PgBytes(""), PgArray(PgArray::Of::kBytes).value()}},
             {&kFail, {PgInt8(0)}},
             {&kFail, {PgInt8(1)}}});
    EXPECT_EQ(answer.end, PgAnswer::End::kRefused);
    EXPECT_EQ(answer.sqlstate, "22012");
    EXPECT_EQ(answer.rows.size(), 1u);
    EXPECT_EQ(ErrorReason(answer.status), "REGISTRY_UNAVAILABLE");
  }
  EXPECT_EQ(Run({{&kBad, {}}}).sqlstate, "42601");
  EXPECT_EQ(Run({{&kFail, {PgInt8(1)}}}).end, PgAnswer::End::kDone);
}

TEST_F(PgConnectionTest, AnErrorAtTheCommitIsNotTakenForAnAnswer) {
  ASSERT_EQ(Run({{&kMake, {}}}).end, PgAnswer::End::kDone);
  ASSERT_EQ(Run({{&kInsert, {PgInt8(1)}}}).end, PgAnswer::End::kDone);
  // The row is answered, and then the constraint is looked at.
  EXPECT_EQ(Run({{&kInsert, {PgInt8(1)}}}).end, PgAnswer::End::kUnknown);
  EXPECT_TRUE(connection_->lost());
  EXPECT_EQ(Run({{&kInsert, {PgInt8(2)}}}).end, PgAnswer::End::kUnknown) << "it is closed";
}

TEST_F(PgConnectionTest, WhatTakesTooLongIsUnknown) {
  const PgAnswer answer = Run({{&kWait, {PgInt8(60)}}}, absl::Milliseconds(50));
  EXPECT_EQ(answer.end, PgAnswer::End::kUnknown);
  EXPECT_TRUE(connection_->lost());
}

TEST_F(PgConnectionTest, AConnectionThatIsEndedIsUnknown) {
  Server().Sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
               " WHERE application_name = 'test'");
  EXPECT_EQ(Run({{&kWait, {PgInt8(0)}}}).end, PgAnswer::End::kUnknown);
}

TEST_F(PgConnectionTest, APoolerIsFound) {
  PostgresProxy pooler(Server().host());
  const std::string through =
      absl::StrCat("postgresql:///postgres?user=bellwire&host=", pooler.host());
  EXPECT_TRUE(Connect(through).ok()) << "a URI, and a proxy that is none";
  pooler.ChangeBackendNumbers();
  const absl::Status refused = Connect(through).status();
  EXPECT_EQ(ErrorReason(refused), "DATABASE_SETUP");
  EXPECT_TRUE(absl::StrContains(refused.message(), "pooler")) << refused;
}

TEST_F(PgConnectionTest, OfSeveralHostsItTakesTheOneThatAcceptsWrites) {
  PostgresServer standby({.name = "standby", .primary = &Server()});
  EXPECT_EQ(Connect(standby.Database("postgres")).status().code(), absl::StatusCode::kUnavailable);
  const auto connection =
      Connect(absl::StrCat("host=/nowhere,", standby.host(), ",", Server().host(),
                           " user=bellwire dbname=postgres target_session_attrs=any"));
  EXPECT_TRUE(connection.ok()) << connection.status();
}

// Each is one line that says what to do, and whether a repetition helps.
TEST_F(PgConnectionTest, WhoIsNotLetInIsToldWhy) {
  EXPECT_EQ(ErrorReason(Connect("host").status()), "BAD_DATABASE");
  EXPECT_EQ(ErrorReason(Connect("").status()), "BAD_DATABASE");
  EXPECT_EQ(ErrorReason(Connect("postgresql://h/?nonsense=1").status()), "BAD_DATABASE");

  const absl::Status away = Connect("host=/nowhere").status();
  EXPECT_EQ(ErrorReason(away), "REGISTRY_UNAVAILABLE");

  const absl::Status unknown = Connect(Server().Database("nothing_of_the_kind")).status();
  EXPECT_EQ(ErrorReason(unknown), "REGISTRY_UNAVAILABLE");
  EXPECT_TRUE(absl::StrContains(unknown.message(), "does not exist")) << unknown;
  EXPECT_FALSE(absl::StrContains(unknown.message(), '\n'));

  Server().Sql("CREATE ROLE reader LOGIN; "
               "ALTER ROLE reader SET default_transaction_read_only = on");
  const absl::Status read_only = Connect(database_ + " user=reader").status();
  EXPECT_EQ(ErrorReason(read_only), "REGISTRY_UNAVAILABLE");
  EXPECT_TRUE(absl::StrContains(read_only.message(), "read-only")) << read_only;
}

TEST_F(PgConnectionTest, AWrongPasswordIsToldAsOne) {
  PostgresServer server;
  server.Sql("CREATE ROLE someone LOGIN PASSWORD 'right'");
  server.UseHba("local all someone scram-sha-256\nlocal all all trust\n");
  const auto as = [&](const std::string& password) {
    return Connect(absl::StrCat("host=", server.host(), " dbname=postgres user=someone ",
                                password.empty() ? "" : " password=", password))
        .status();
  };
  EXPECT_TRUE(as("right").ok());
  for (const char* password : {"wrong", ""}) {
    const absl::Status refused = as(password);
    EXPECT_EQ(ErrorReason(refused), "REGISTRY_UNAVAILABLE");
    EXPECT_TRUE(absl::StrContains(refused.message(), "passfile")) << refused;
  }
}

TEST_F(PgConnectionTest, TooManyConnectionsAreToldAsThat) {
  PostgresServer server({.settings = {"max_connections=5", "superuser_reserved_connections=0"}});
  std::vector<std::unique_ptr<PgConnection>> held;
  absl::Status refused;
  while (refused.ok() && held.size() < 10) {
    auto connection = Connect(server.Database("postgres"));
    refused = connection.status();
    if (connection.ok()) held.push_back(*std::move(connection));
  }
  EXPECT_EQ(ErrorReason(refused), "REGISTRY_UNAVAILABLE");
  EXPECT_TRUE(absl::StrContains(refused.message(), "max_connections")) << refused;
}

TEST_F(PgConnectionTest, APasswordIsNotLogged) {
  const std::string text =
      PgConnection::WithoutPassword("postgresql://me:secret@h1:1,h2:2/db?sslmode=require");
  EXPECT_FALSE(absl::StrContains(text, "secret"));
  EXPECT_TRUE(absl::StrContains(text, "user=me"));
  EXPECT_TRUE(absl::StrContains(text, "sslmode=require"));
}

}  // namespace
}  // namespace bellwire::registry
