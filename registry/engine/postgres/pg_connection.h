#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_PG_CONNECTION_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_PG_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/clock.h"
#include "registry/engine/postgres/pg_values.h"

struct pg_conn;
struct pg_result;

namespace bellwire::registry {

// A statement of this program: a constant. It is prepared on a connection when it is first used.
struct PgStatement {
  // Unique in the program. Empty: it is not kept prepared, as for what runs once.
  const char* name;
  const char* sql;
};

struct PgQuery {
  const PgStatement* statement;
  std::vector<PgValue> parameters;
};

// Rows in binary format. Columns are counted from 0.
class PgRows {
 public:
  explicit PgRows(pg_result* result) : result_(result, &Free) {}

  int count() const;
  bool is_null(int row, int column) const;
  // Valid as long as this object. Empty for NULL.
  absl::string_view Bytes(int row, int column) const;
  // 0 for NULL. REQUIRES: the column is an int8.
  int64_t Int8(int row, int column) const;

 private:
  static void Free(pg_result* result);
  std::unique_ptr<pg_result, void (*)(pg_result*)> result_;
};

// What came of a PgConnection::Run.
struct PgAnswer {
  enum class End {
    // Every query was run, and is committed as durably as the connection's synchronous_commit says.
    kDone,
    // The server has refused one of them, which did nothing. The others were run, each for itself.
    kRefused,
    // The connection broke, the time was over, or the server has warned: nobody knows what of it
    // was done, nor on how many disks it is. The connection is closed.
    kUnknown,
  };
  End end = End::kUnknown;
  // OK exactly for kDone.
  absl::Status status;
  // Of the first that was refused.
  std::string sqlstate;
  // Of each query before the first that was refused.
  std::vector<PgRows> rows;
};

// A connection to PostgreSQL, through libpq: the only file that calls it.
//
// A server that waits for a synchronous standby and is told to stop answers its COMMIT with success
// and a WARNING, and the row has one copy. So a warning is never taken for success.
//
// Not thread-safe. Run blocks.
class PgConnection {
 public:
  struct Options {
    // A URI or key=value pairs, with every option that libpq has: several hosts, service, passfile,
    // sslmode, …
    std::string database;
    // Names the connection in pg_stat_activity. At most 63 bytes.
    std::string name;
    // "on", or "local" for what need not be on a standby.
    const char* synchronous_commit = "on";
    // Not owned; outlives the connection.
    const Clock* clock = nullptr;
  };

  // How long each host is waited for, unless connect_timeout says something else.
  static constexpr absl::Duration kConnectTimeout = absl::Seconds(3);
  // A statement that waits longer for a row that another transaction has locked is refused. It
  // never ends a wait for a standby.
  static constexpr absl::Duration kLockTimeout = absl::Seconds(2);

  // Connects to the host that accepts writes.
  //   INVALID_ARGUMENT BAD_DATABASE: libpq doesn't understand `database`.
  //   FAILED_PRECONDITION DATABASE_SETUP: it is older than version 15; or a pooler is between,
  //   which
  //     gives each transaction another session.
  //   UNAVAILABLE REGISTRY_UNAVAILABLE: none of the hosts lets us in, or accepts writes.
  static absl::StatusOr<std::unique_ptr<PgConnection>> Connect(const Options& options);

  // Checks the syntax of Options::database. INVALID_ARGUMENT BAD_DATABASE.
  static absl::Status CheckDatabase(const std::string& database);
  // `database` without its password, for logs. REQUIRES: CheckDatabase.
  static std::string WithoutPassword(const std::string& database);

  ~PgConnection();
  PgConnection(const PgConnection&) = delete;
  PgConnection& operator=(const PgConnection&) = delete;

  // Sends all queries at once, each as a transaction of its own, and waits for their answers.
  // Nothing is cancelled when `timeout` is over: the server goes on with what it has got. `doing`
  // is for the errors.
  PgAnswer Run(absl::Span<const PgQuery> queries, absl::Duration timeout, absl::string_view doing);

  // Run of one query, for what is not a commit: its rows, or its error.
  absl::StatusOr<PgRows> Ask(const PgStatement& statement, std::vector<PgValue> parameters,
                             absl::Duration timeout, absl::string_view doing);

  // It broke, or was closed: every Run ends kUnknown.
  bool lost() const { return conn_ == nullptr; }

 private:
  explicit PgConnection(const Options& options) : clock_(options.clock) {}

  absl::Status CheckSession(const Options& options);
  // Sends all. Answers how many answers each will have; empty: the connection is broken.
  std::vector<int> Send(absl::Span<const PgQuery> queries);
  // The next result; null: there is none of this query any more. Sets *failed on a broken
  // connection and at the deadline.
  pg_result* Next(MonotonicTime deadline, absl::Status* failed);
  absl::Status BrokenError() const;
  void Close();
  static void OnNotice(void* self, const pg_result* notice);

  const Clock* const clock_;
  pg_conn* conn_ = nullptr;
  absl::flat_hash_set<const PgStatement*> prepared_;
  // Of the Run under way.
  std::string warning_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_PG_CONNECTION_H_
