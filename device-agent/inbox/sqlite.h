#ifndef BELLWIRE_DEVICE_AGENT_INBOX_SQLITE_H_
#define BELLWIRE_DEVICE_AGENT_INBOX_SQLITE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct sqlite3;
struct sqlite3_stmt;

// The little of SQLite that the inbox needs, with absl::Status. Single-threaded.
//
// Errors carry a reason:
//   RESOURCE_EXHAUSTED   DISK_FULL          no room, or the disk refuses to write
//   DATA_LOSS            DATABASE_DAMAGED   not a database, or a broken one
//   FAILED_PRECONDITION  DATABASE_IN_USE    another process holds it
//   UNAVAILABLE          DATABASE_UNREADABLE  can't be opened, read or written (permissions,
//   read-only disk) INTERNAL             anything else: a mistake of ours
namespace bellwire::agent {

class Database;

// SQLite's integers are signed: unsigned ones are kept in them with the same bits, and never
// compared.
inline int64_t Signed(uint64_t value) { return static_cast<int64_t>(value); }
inline uint64_t Unsigned(int64_t value) { return static_cast<uint64_t>(value); }

// A prepared statement, used again and again: Reset, Bind each parameter, then Run or Step.
class Statement {
 public:
  // Stands where preparing failed; not to be run.
  static Statement None() { return Statement(nullptr, nullptr); }
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Makes it ready to run again and forgets what was bound. Answers *this, to bind at once.
  Statement& Reset();
  // The next parameter. Text and blobs must stay valid until the next Reset.
  Statement& BindInt(int64_t value);
  Statement& BindText(absl::string_view value);
  Statement& BindBlob(absl::string_view value);
  Statement& BindNull();

  // The next row, or false after the last one.
  absl::StatusOr<bool> Step();
  // To the end, whatever rows come.
  absl::Status Run();

  // Columns of the current row, from 0. Views are valid until the next Step or Reset.
  int64_t Int(int column) const;
  absl::string_view Bytes(int column) const;
  bool IsNull(int column) const;

 private:
  friend class Database;
  Statement(sqlite3* db, sqlite3_stmt* stmt) : db_(db), stmt_(stmt) {}

  sqlite3* db_;
  sqlite3_stmt* stmt_;
  int next_parameter_ = 1;
};

class Database {
 public:
  // Opens or creates (0600) the file, in WAL mode with every commit synced, for this process alone.
  // What is deleted is overwritten with zeros.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path);
  // REQUIRES: no Statement of it lives any more.
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs one or several statements without parameters or results.
  absl::Status Execute(const char* sql);
  absl::StatusOr<Statement> Prepare(absl::string_view sql);

  // Moves the log (the -wal file) into the database and cuts it to nothing: until then it may hold
  // what was deleted meanwhile. Costs a sync of the database.
  absl::Status EmptyLog();

  int64_t last_insert_rowid() const;
  // Rows that the last INSERT, UPDATE or DELETE touched.
  int changes() const;

  // For tests of a full disk: the file may not grow beyond this many pages. Above what it has now.
  absl::Status LimitPages(int64_t pages);
  int64_t pages();

 private:
  explicit Database(sqlite3* db) : db_(db) {}
  sqlite3* db_;
};

// All or nothing: rolls back unless Commit() was called and succeeded.
class Transaction {
 public:
  static absl::StatusOr<Transaction> Begin(Database* db);
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  // OK: what was written survives a power cut.
  absl::Status Commit();

 private:
  explicit Transaction(Database* db) : db_(db) {}
  Database* db_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_INBOX_SQLITE_H_
