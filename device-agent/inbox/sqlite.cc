#include "device-agent/inbox/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"

namespace bellwire::agent {
namespace {

absl::Status ErrorOf(sqlite3* db, int code) {
  const char* file = db != nullptr ? sqlite3_db_filename(db, "main") : nullptr;
  const std::string what =
      absl::StrCat(file != nullptr ? file : "SQLite", ": ", sqlite3_errmsg(db));
  switch (code & 0xff) {
    case SQLITE_FULL:
      return MakeError(absl::StatusCode::kResourceExhausted, "DISK_FULL", what);
    case SQLITE_IOERR:
      // A read that fails is a broken disk; a write that fails is, as good as always, a full one.
      if (code == SQLITE_IOERR_READ || code == SQLITE_IOERR_CORRUPTFS) {
        return MakeError(absl::StatusCode::kDataLoss, "DATABASE_DAMAGED", what);
      }
      return MakeError(absl::StatusCode::kResourceExhausted, "DISK_FULL", what);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return MakeError(absl::StatusCode::kDataLoss, "DATABASE_DAMAGED", what);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return MakeError(absl::StatusCode::kFailedPrecondition, "DATABASE_IN_USE", what);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
      return MakeError(absl::StatusCode::kUnavailable, "DATABASE_UNREADABLE", what);
    default:
      return absl::InternalError(what);
  }
}

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : db_(other.db_),
      stmt_(std::exchange(other.stmt_, nullptr)),
      next_parameter_(other.next_parameter_) {}

Statement::~Statement() { sqlite3_finalize(stmt_); }

Statement& Statement::Reset() {
  sqlite3_reset(stmt_);
  sqlite3_clear_bindings(stmt_);
  next_parameter_ = 1;
  return *this;
}

Statement& Statement::BindInt(int64_t value) {
  sqlite3_bind_int64(stmt_, next_parameter_++, value);
  return *this;
}

Statement& Statement::BindText(absl::string_view value) {
  sqlite3_bind_text64(stmt_, next_parameter_++, value.data() == nullptr ? "" : value.data(),
                      value.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Statement& Statement::BindBlob(absl::string_view value) {
  sqlite3_bind_blob64(stmt_, next_parameter_++, value.data() == nullptr ? "" : value.data(),
                      value.size(), SQLITE_STATIC);
  return *this;
}

Statement& Statement::BindNull() {
  sqlite3_bind_null(stmt_, next_parameter_++);
  return *this;
}

absl::StatusOr<bool> Statement::Step() {
  const int code = sqlite3_step(stmt_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    // Releases the read lock at once rather than at the next use.
    sqlite3_reset(stmt_);
    return false;
  }
  absl::Status error = ErrorOf(db_, code);
  sqlite3_reset(stmt_);
  return error;
}

absl::Status Statement::Run() {
  for (;;) {
    absl::StatusOr<bool> row = Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
  }
}

int64_t Statement::Int(int column) const { return sqlite3_column_int64(stmt_, column); }

absl::string_view Statement::Bytes(int column) const {
  const void* data = sqlite3_column_blob(stmt_, column);
  const int size = sqlite3_column_bytes(stmt_, column);
  return absl::string_view(static_cast<const char*>(data), static_cast<size_t>(size));
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(stmt_, column) == SQLITE_NULL;
}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path) {
  // SQLite gives the WAL file the mode of the database file, so this one decides for both.
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    return MakeError(absl::StatusCode::kUnavailable, "DATABASE_UNREADABLE",
                     absl::StrCat("can't open ", path, ": ", strerror(errno)));
  }
  close(fd);

  sqlite3* raw = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<Database> db(new Database(raw));
  if (code != SQLITE_OK) return ErrorOf(raw, code);
  sqlite3_extended_result_codes(raw, 1);
  // EXCLUSIVE before WAL: no shared-memory file, and nobody else gets in between.
  for (const char* sql : {"PRAGMA locking_mode=EXCLUSIVE", "PRAGMA journal_mode=WAL",
                          "PRAGMA synchronous=FULL", "PRAGMA trusted_schema=OFF",
                          "PRAGMA secure_delete=ON",
                          // A phone's flash and memory are small: 256 KiB of cache, 256 KiB of WAL.
                          "PRAGMA cache_size=-256", "PRAGMA wal_autocheckpoint=64"}) {
    if (absl::Status s = db->Execute(sql); !s.ok()) return s;
  }
  return db;
}

Database::~Database() { sqlite3_close_v2(db_); }

absl::Status Database::Execute(const char* sql) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : ErrorOf(db_, code);
}

absl::StatusOr<Statement> Database::Prepare(absl::string_view sql) {
  sqlite3_stmt* stmt = nullptr;
  const int code = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &stmt, nullptr);
  if (code != SQLITE_OK) return ErrorOf(db_, code);
  return Statement(db_, stmt);
}

absl::Status Database::EmptyLog() {
  const int code =
      sqlite3_wal_checkpoint_v2(db_, "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : ErrorOf(db_, code);
}

int64_t Database::last_insert_rowid() const { return sqlite3_last_insert_rowid(db_); }
int Database::changes() const { return sqlite3_changes(db_); }

absl::Status Database::LimitPages(int64_t pages) {
  return Execute(absl::StrCat("PRAGMA max_page_count=", pages).c_str());
}

int64_t Database::pages() {
  absl::StatusOr<Statement> statement = Prepare("PRAGMA page_count");
  if (!statement.ok()) return 0;
  absl::StatusOr<bool> row = statement->Step();
  return row.ok() && *row ? statement->Int(0) : 0;
}

absl::StatusOr<Transaction> Transaction::Begin(Database* db) {
  if (absl::Status s = db->Execute("BEGIN IMMEDIATE"); !s.ok()) return s;
  return Transaction(db);
}

Transaction::Transaction(Transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}

Transaction::~Transaction() {
  // May fail only where SQLite has rolled back by itself (a full disk).
  if (db_ != nullptr) db_->Execute("ROLLBACK").IgnoreError();
}

absl::Status Transaction::Commit() {
  absl::Status status = db_->Execute("COMMIT");
  if (status.ok()) db_ = nullptr;
  return status;
}

}  // namespace bellwire::agent
