// What goes wrong in a database, each caused for real. A commit that is refused is one clear line
// of the log and UNAVAILABLE, which says that a repetition may help. It does once the cause is
// gone, and nothing that was answered OK is lost.

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/error.h"
#include "crypto/certificates.h"
#include "gtest/gtest.h"
#include "registry/engine/postgres/postgres_engine.h"
#include "registry/engine/postgres/testing/engine_steps.h"
#include "registry/engine/postgres/testing/postgres_server.h"

namespace bellwire::registry {
namespace {

// Of bytes that PostgreSQL can't compress.
std::string Noise(size_t size) {
  std::string noise;
  for (uint64_t x = 1; noise.size() < size; x = x * 6364136223846793005 + 1442695040888963407) {
    noise.push_back(static_cast<char>(x >> 56));
  }
  return noise;
}

// One for all tests of this program: each leaves it as it was. It listens on TCP for those with
// TLS.
PostgresServer& Server() {
  static PostgresServer server({.tcp = true});
  return server;
}

// A registry that is a user of its own, as it should be, and whose server does what a test says.
class PostgresErrorsTest : public testing::Test {
 protected:
  PostgresErrorsTest() : server_(Server()), database_(server_.NewDatabase()) {
    name_ = database_.substr(database_.rfind('=') + 1);
    role_ = absl::StrCat("registry_", name_);
    Sql(absl::StrCat("CREATE ROLE ", role_, " LOGIN PASSWORD 'right'"));
    Sql(absl::StrCat("GRANT CREATE ON DATABASE ", name_, " TO ", role_));
    database_ += absl::StrCat(" user=", role_, " password=right");
    MakeStoreIn(database_);
  }

  void Open() { OpenWith(database_); }
  void OpenWith(const std::string& database) {
    engine_ = OpenEngine({.database = database,
                          .durability = DatabaseDurability::kSingle,
                          .clock = RealClock(),
                          .on_fenced = [] { ADD_FAILURE() << "it is fenced"; }});
    ASSERT_NE(engine_, nullptr);
    CommitAtLast(engine_.get(), Writes("answered", "ok"));
  }
  std::string Sql(const std::string& sql) { return server_.Sql(name_, sql); }
  // Ends the registry's connections: it has to connect again.
  void Disconnect() {
    Sql(
        absl::StrCat("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                     " WHERE usename = '",
                     role_, "'"));
  }

  // The error of the next commit.
  void ExpectRefused(absl::string_view text, absl::string_view to_do) {
    Expect(engine_->Commit(Writes("refused", "1")), text, to_do);
  }
  // The error of a commit once the engine has found out that it can't connect.
  void ExpectRefusedAtLast(absl::string_view text, absl::string_view to_do) {
    absl::Status status;
    const MonotonicTime deadline = RealClock()->Monotonic() + absl::Minutes(1);
    do {
      status = engine_->Commit(Writes("refused", "1"));
      // The server has not heard of the change when the registry was back.
      if (status.ok()) Disconnect();
    } while (!absl::StrContains(status.message(), text) && RealClock()->Monotonic() < deadline);
    Expect(status, text, to_do);
  }
  static void Expect(const absl::Status& status, absl::string_view text, absl::string_view to_do) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_EQ(ErrorReason(status), "REGISTRY_UNAVAILABLE");
    EXPECT_TRUE(absl::StrContains(status.message(), text)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), to_do)) << status;
    EXPECT_FALSE(absl::StrContains(status.message(), '\n')) << "one line";
    EXPECT_LT(status.message().size(), 700u);
  }
  // The cause is gone.
  void ExpectItGoesOn() {
    CommitAtLast(engine_.get(), Writes("after", "ok"));
    EXPECT_EQ(Value(*engine_, "after"), "ok");
    EXPECT_EQ(Value(*engine_, "answered"), "ok");
    // And after a restart.
    engine_ = nullptr;
    Open();
    EXPECT_EQ(Value(*engine_, "after"), "ok");
    EXPECT_EQ(Value(*engine_, "answered"), "ok");
  }

  PostgresServer& server_;
  std::string database_;
  std::string name_;
  std::string role_;
  std::unique_ptr<PostgresEngine> engine_;
};

TEST_F(PostgresErrorsTest, Deadlock) {
  // The registry's commit is the one that finds it, before its lock_timeout.
  Sql(absl::StrCat("ALTER ROLE ", role_, " SET deadlock_timeout = '1800ms'"));
  Open();
  PostgresServer::Session other(server_, name_);
  other.Run("SET deadlock_timeout = '1min'");
  other.Run("BEGIN");
  other.Run("UPDATE bellwire.leases SET address = address WHERE partition = 8");
  absl::Status status;
  std::thread commit([&] { status = engine_->Commit(Writes("refused", "1")); });
  server_.WaitUntil("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted");
  // It has the lease of the device by now, and waits for the one that is everybody's.
  other.Run("UPDATE bellwire.leases SET address = address WHERE partition < 8");
  other.Run("ROLLBACK");
  commit.join();
  Expect(status, "40P01", "a repetition helps");
  ExpectItGoesOn();
}

TEST_F(PostgresErrorsTest, ALeaseThatSomebodyHolds) {
  Open();
  PostgresServer::Session other(server_, name_);
  other.Run("BEGIN");
  other.Run("SELECT * FROM bellwire.leases FOR UPDATE");
  ExpectRefused("55P03", "it is tried again");
  other.Run("ROLLBACK");
  ExpectItGoesOn();
}

TEST_F(PostgresErrorsTest, SerializationFailure) {
  Open();
  Sql("CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
      " RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001'; END $$");
  Sql("CREATE TRIGGER fail BEFORE INSERT ON bellwire.records FOR EACH ROW EXECUTE FUNCTION fail()");
  ExpectRefused("40001", "a repetition helps");
  Sql("DROP TRIGGER fail ON bellwire.records");
  ExpectItGoesOn();
}

TEST_F(PostgresErrorsTest, ReadOnly) {
  Open();
  server_.Set("default_transaction_read_only", "on");
  ExpectRefused("25006", "read-only");
  server_.Set("default_transaction_read_only", "off");
  ExpectItGoesOn();
}

TEST_F(PostgresErrorsTest, DiskFull) {
  const std::string disk = server_.host() + "/disk";
  std::filesystem::create_directory(disk);
  struct stat server {};
  ASSERT_EQ(stat(server_.data().c_str(), &server), 0);
  const std::string options =
      absl::StrCat("size=4m,mode=0700,uid=", server.st_uid, ",gid=", server.st_gid);
  if (mount("none", disk.c_str(), "tmpfs", 0, options.c_str()) != 0) {
    GTEST_SKIP() << "SKIPPED: mounting a small disk needs root";
  }
  Sql(absl::StrCat("CREATE TABLESPACE small LOCATION '", disk, "'"));
  Sql("ALTER TABLE bellwire.records SET TABLESPACE small");
  Open();
  {
    std::ofstream filler(disk + "/filler");
    while (filler.write(Noise(4096).data(), 4096).flush()) {
    }
  }
  Expect(engine_->Commit({{{Family::kTeams, "large"}, Noise(500'000)}}), "53100", "make room");
  std::filesystem::remove(disk + "/filler");
  ExpectItGoesOn();
  // The server must not miss its tablespace at its end.
  engine_ = nullptr;
  Sql("ALTER TABLE bellwire.records SET TABLESPACE pg_default");
  Sql("CHECKPOINT");
  Sql("DROP TABLESPACE small");
  EXPECT_EQ(umount(disk.c_str()), 0);
}

TEST_F(PostgresErrorsTest, TooManyConnections) {
  Open();
  Sql(absl::StrCat("ALTER ROLE ", role_, " CONNECTION LIMIT 0"));
  Disconnect();
  ExpectRefusedAtLast("too many connections", "CONNECTION LIMIT");
  Sql(absl::StrCat("ALTER ROLE ", role_, " CONNECTION LIMIT -1"));
  ExpectItGoesOn();
}

TEST_F(PostgresErrorsTest, WrongPassword) {
  server_.UseHba(absl::StrCat("local all ", role_, " scram-sha-256\nlocal all all trust\n"));
  Open();
  Sql(absl::StrCat("ALTER ROLE ", role_, " PASSWORD 'another'"));
  Disconnect();
  ExpectRefusedAtLast("password authentication failed", "passfile");
  Sql(absl::StrCat("ALTER ROLE ", role_, " PASSWORD 'right'"));
  ExpectItGoesOn();
}

TEST_F(PostgresErrorsTest, WrongSchema) {
  Open();
  Sql("ALTER TABLE bellwire.records RENAME COLUMN value TO v");
  ExpectRefused("SQLSTATE 42", "");
  Sql("ALTER TABLE bellwire.records RENAME COLUMN v TO value");
  CommitAtLast(engine_.get(), Writes("after", "ok"));
  Sql("ALTER SCHEMA bellwire RENAME TO elsewhere");
  ExpectRefused("SQLSTATE", "fleet init");
  Sql("ALTER SCHEMA elsewhere RENAME TO bellwire");
  CommitAtLast(engine_.get(), Writes("after", "ok"));
  // Somebody has upgraded it.
  Sql("UPDATE bellwire.store SET version = 99");
  Disconnect();
  ExpectRefusedAtLast("version 99", "later");
  Sql(absl::StrCat("UPDATE bellwire.store SET version = ", kSchemaVersion));
  ExpectItGoesOn();
}

TEST_F(PostgresErrorsTest, NotAllowed) {
  Open();
  Sql("ALTER TABLE bellwire.records OWNER TO bellwire");
  ExpectRefused("42501", "own the schema");
  Sql(absl::StrCat("ALTER TABLE bellwire.records OWNER TO ", role_));
  ExpectItGoesOn();
}

// Over TCP, with certificates.
class PostgresTlsTest : public PostgresErrorsTest {
 protected:
  PostgresTlsTest() {
    server_.WriteFile("ca.pem", Ca().certificate_pem);
    ServeCertificate(Good());
    server_.Set("ssl_cert_file", "server.pem");
    server_.Set("ssl_key_file", "server.key");
    server_.Set("ssl_ca_file", "ca.pem");
    server_.Set("ssl", "on");
    server_.UseHba(absl::StrCat("local all all trust\nhostssl all ", role_,
                                " 127.0.0.1/32 trust clientcert=verify-ca\n"));
    std::ofstream(directory() + "/root.pem") << Ca().certificate_pem;
    ClientCertificate(Good());
    tls_ = absl::StrCat("host=localhost hostaddr=127.0.0.1 port=", server_.port(),
                        " connect_timeout=60 user=", role_, " dbname=", name_,
                        " sslmode=verify-full sslrootcert=", directory(),
                        "/root.pem sslcert=", directory(), "/client.pem sslkey=", directory(),
                        "/client.key");
  }

  // One for all tests: the server may be slow to hear of another one.
  static const KeyAndCertificate& Ca() {
    static const KeyAndCertificate ca = *MakeCertificateAuthority(
        "Test CA", {.not_before = RealClock()->WallNow() - absl::Hours(240),
                    .not_after = RealClock()->WallNow() + absl::Hours(240)});
    return ca;
  }

  std::string directory() const { return server_.host(); }
  static Validity Good() {
    const absl::Time now = RealClock()->WallNow();
    return {.not_before = now - absl::Hours(48), .not_after = now + absl::Hours(48)};
  }
  static Validity Expired() {
    const absl::Time now = RealClock()->WallNow();
    return {.not_before = now - absl::Hours(48), .not_after = now - absl::Hours(24)};
  }
  KeyAndCertificate Issue(const Validity& validity) const {
    return *IssueCertificate(Ca(), {.common_name = "registry",
                                    .dns_names = {"localhost"},
                                    .server = true,
                                    .client = true,
                                    .validity = validity});
  }
  void ServeCertificate(const Validity& validity) {
    const KeyAndCertificate made = Issue(validity);
    server_.WriteFile("server.pem", made.certificate_pem);
    server_.WriteFile("server.key", made.key_pem);
    server_.Sql("SELECT pg_reload_conf()");
  }
  void ClientCertificate(const Validity& validity) const {
    const KeyAndCertificate made = Issue(validity);
    std::ofstream(directory() + "/client.pem") << made.certificate_pem;
    std::filesystem::remove(directory() + "/client.key");
    std::ofstream(directory() + "/client.key") << made.key_pem;
    std::filesystem::permissions(directory() + "/client.key", std::filesystem::perms::owner_read);
  }

  std::string tls_;
};

TEST_F(PostgresTlsTest, TheServersCertificateExpires) {
  OpenWith(tls_);
  ServeCertificate(Expired());
  Disconnect();
  ExpectRefusedAtLast("certificate", "expired");
  ServeCertificate(Good());
  ExpectItGoesOn();
}

TEST_F(PostgresTlsTest, TheRegistrysCertificateExpires) {
  OpenWith(tls_);
  ClientCertificate(Expired());
  Disconnect();
  ExpectRefusedAtLast("certificate", "renew");
  ClientCertificate(Good());
  ExpectItGoesOn();
}

}  // namespace
}  // namespace bellwire::registry
