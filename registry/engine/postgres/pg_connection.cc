#include "registry/engine/postgres/pg_connection.h"

#include <errno.h>
#include <poll.h>
#include <postgresql/libpq-fe.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "registry/engine/postgres/pg_status.h"
#include "registry/engine/store_error.h"

namespace bellwire::registry {
namespace {

// The first whose pipelines and whose pg_terminate_backend with a time are as this program needs
// them.
constexpr int kOldestServer = 150000;
constexpr absl::Duration kSessionTimeout = absl::Seconds(5);

// The session. The planner is not asked for its opinion: it keeps a plan for good, and one that it
// made while a table was empty would read the whole table for each row later. Warnings must arrive:
// they tell that a commit has one copy. A commit must never be cancelled by a time-out.
constexpr PgStatement kSetUp = {
    "",
    "SELECT pg_catalog.set_config('synchronous_commit', $1::text, false),"
    " pg_catalog.set_config('client_min_messages', 'warning', false),"
    " pg_catalog.set_config('statement_timeout', '0', false),"
    " pg_catalog.set_config('lock_timeout', $2::text, false),"
    " pg_catalog.set_config('default_transaction_isolation', 'read committed', false),"
    " pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', false),"
    " pg_catalog.set_config('enable_seqscan', 'off', false),"
    " pg_catalog.set_config('enable_bitmapscan', 'off', false),"
    " pg_catalog.set_config('enable_hashjoin', 'off', false),"
    " pg_catalog.set_config('enable_mergejoin', 'off', false),"
    " pg_catalog.set_config('jit', 'off', false)"};

constexpr PgStatement kLook = {
    "", "SELECT pg_catalog.pg_backend_pid()::int8,"
        " pg_catalog.current_setting('transaction_read_only') = 'on',"
        " pg_catalog.current_setting('server_encoding')::text"};

struct FreeConnInfo {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using ConnInfo = std::unique_ptr<PQconninfoOption, FreeConnInfo>;

// Null: *error says why.
ConnInfo Parse(const std::string& database, std::string* error) {
  char* message = nullptr;
  ConnInfo parsed(PQconninfoParse(database.c_str(), &message));
  if (message != nullptr) {
    *error = PgOneLine(message);
    PQfreemem(message);
  }
  return parsed;
}

std::string ErrorField(const PGresult* result, int field) {
  const char* text = PQresultErrorField(result, field);
  return text == nullptr ? "" : text;
}

}  // namespace

void PgRows::Free(pg_result* result) { PQclear(result); }
int PgRows::count() const { return PQntuples(result_.get()); }
bool PgRows::is_null(int row, int column) const {
  return PQgetisnull(result_.get(), row, column) != 0;
}
absl::string_view PgRows::Bytes(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<size_t>(PQgetlength(result_.get(), row, column))};
}
int64_t PgRows::Int8(int row, int column) const { return ParsePgInt8(Bytes(row, column)); }

absl::Status PgConnection::CheckDatabase(const std::string& database) {
  std::string error = "it is empty";
  if (!database.empty() && Parse(database, &error) != nullptr) return absl::OkStatus();
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_DATABASE",
                   absl::StrCat("--database is no connection string of PostgreSQL: ", error));
}

std::string PgConnection::WithoutPassword(const std::string& database) {
  std::string error, text;
  const ConnInfo parsed = Parse(database, &error);
  for (const PQconninfoOption* o = parsed.get(); o != nullptr && o->keyword != nullptr; ++o) {
    // '*': libpq calls it a password.
    if (o->val == nullptr || strcmp(o->dispchar, "*") == 0) continue;
    absl::StrAppend(&text, text.empty() ? "" : " ", o->keyword, "=", o->val);
  }
  return text;
}

absl::StatusOr<std::unique_ptr<PgConnection>> PgConnection::Connect(const Options& options) {
  BELLWIRE_RETURN_IF_ERROR(CheckDatabase(options.database));
  const std::string timeout = absl::StrCat(absl::ToInt64Seconds(kConnectTimeout));
  // What comes before `dbname`, the connection string overrides; what comes after it, not. A peer
  // that vanished is found within some ten seconds, by the kernel.
  const std::array<std::pair<const char*, const char*>, 9> settings = {{
      {"connect_timeout", timeout.c_str()},
      {"tcp_user_timeout", "10000"},
      {"keepalives_idle", "5"},
      {"keepalives_interval", "2"},
      {"keepalives_count", "3"},
      {"dbname", options.database.c_str()},
      {"target_session_attrs", "read-write"},
      {"application_name", options.name.c_str()},
      {"client_encoding", "UTF8"},
  }};
  std::array<const char*, settings.size() + 1> keywords{}, values{};
  for (size_t i = 0; i < settings.size(); ++i) {
    keywords[i] = settings[i].first;
    values[i] = settings[i].second;
  }
  std::unique_ptr<PgConnection> connection(new PgConnection(options));
  connection->conn_ = PQconnectdbParams(keywords.data(), values.data(), /*expand_dbname=*/1);
  PGconn* const conn = connection->conn_;
  if (conn == nullptr) return StoreUnavailableError("connecting to the database: no memory");
  if (PQstatus(conn) != CONNECTION_OK) {
    return FromPgConnection(PQerrorMessage(conn), "connecting to the database");
  }
  PQsetNoticeReceiver(conn, &PgConnection::OnNotice, connection.get());
  if (PQserverVersion(conn) < kOldestServer) {
    return DatabaseSetupError(absl::StrCat("its PostgreSQL has version ", PQserverVersion(conn),
                                           "; version 15 or later is needed"));
  }
  if (PQsetnonblocking(conn, 1) != 0 || PQenterPipelineMode(conn) != 1) {
    return FromPgConnection(PQerrorMessage(conn), "preparing the connection to the database");
  }
  BELLWIRE_RETURN_IF_ERROR(connection->CheckSession(options));
  return connection;
}

absl::Status PgConnection::CheckSession(const Options& options) {
  const PgQuery queries[] = {
      {&kSetUp,
       {PgBytes(options.synchronous_commit),
        PgBytes(absl::StrCat(absl::ToInt64Milliseconds(kLockTimeout)))}},
      {&kLook, {}},
  };
  const PgAnswer answer = Run(queries, kSessionTimeout, "preparing the connection to the database");
  if (answer.end != PgAnswer::End::kDone) return answer.status;
  const PgRows& look = answer.rows.back();
  if (look.Int8(0, 0) != PQbackendPID(conn_)) {
    return DatabaseSetupError(
        "a connection pooler is between, and a session must be one backend's for as long as it "
        "lasts: connect to PostgreSQL itself");
  }
  if (look.Bytes(0, 1) != absl::string_view("\0", 1)) {
    return StoreUnavailableError(
        "the database is read-only: name the primary too, or end default_transaction_read_only");
  }
  return absl::OkStatus();
}

PgConnection::~PgConnection() { Close(); }

void PgConnection::Close() {
  if (conn_ != nullptr) PQfinish(conn_);
  conn_ = nullptr;
  prepared_.clear();
}

void PgConnection::OnNotice(void* self, const pg_result* notice) {
  if (ErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED) != "WARNING") return;
  static_cast<PgConnection*>(self)->warning_ =
      absl::StrCat("the server warns: ", PgOneLine(ErrorField(notice, PG_DIAG_MESSAGE_PRIMARY)));
}

std::vector<int> PgConnection::Send(absl::Span<const PgQuery> queries) {
  std::vector<int> expected;
  absl::flat_hash_set<const PgStatement*> prepared_here;
  std::vector<const char*> values;
  std::vector<int> lengths, formats;
  for (const PgQuery& query : queries) {
    const PgStatement* const statement = query.statement;
    const bool prepare = !prepared_.contains(statement) &&
                         (statement->name[0] == '\0' || prepared_here.insert(statement).second);
    if (prepare && PQsendPrepare(conn_, statement->name, statement->sql, 0, nullptr) != 1) {
      return {};
    }
    expected.push_back(prepare ? 2 : 1);
    values.clear();
    lengths.clear();
    for (const PgValue& parameter : query.parameters) {
      values.push_back(parameter.has_value() ? parameter->data() : nullptr);
      lengths.push_back(parameter.has_value() ? static_cast<int>(parameter->size()) : 0);
    }
    formats.assign(values.size(), 1);
    if (PQsendQueryPrepared(conn_, statement->name, static_cast<int>(values.size()), values.data(),
                            lengths.data(), formats.data(), /*resultFormat=*/1) != 1 ||
        PQpipelineSync(conn_) != 1) {
      return {};
    }
  }
  return expected;
}

absl::Status PgConnection::BrokenError() const {
  return absl::UnavailableError(
      absl::StrCat("the connection broke: ", PgOneLine(PQerrorMessage(conn_))));
}

pg_result* PgConnection::Next(MonotonicTime deadline, absl::Status* failed) {
  while (true) {
    const int unsent = PQflush(conn_);
    if (PQisBusy(conn_) == 0) {
      pg_result* const result = PQgetResult(conn_);
      if (PQstatus(conn_) != CONNECTION_OK) {
        PQclear(result);
        *failed = BrokenError();
        return nullptr;
      }
      return result;
    }
    const absl::Duration left = deadline - clock_->Monotonic();
    if (left <= absl::ZeroDuration()) {
      *failed = absl::UnavailableError("the database doesn't answer in time");
      return nullptr;
    }
    pollfd fd = {.fd = PQsocket(conn_),
                 .events = static_cast<int16_t>(unsent == 0 ? POLLIN : POLLIN | POLLOUT),
                 .revents = 0};
    // Rounded up: a time that is nearly over must not spin.
    const int ms = static_cast<int>(absl::ToInt64Milliseconds(left)) + 1;
    if (poll(&fd, 1, ms) < 0 && errno != EINTR) {
      *failed = absl::UnavailableError(absl::StrCat("waiting for it: ", strerror(errno)));
      return nullptr;
    }
    if ((fd.revents & ~POLLOUT) != 0 && PQconsumeInput(conn_) != 1) {
      *failed = BrokenError();
      return nullptr;
    }
  }
}

PgAnswer PgConnection::Run(absl::Span<const PgQuery> queries, absl::Duration timeout,
                           absl::string_view doing) {
  PgAnswer answer;
  const auto unknown = [&](const absl::Status& why) {
    answer.end = PgAnswer::End::kUnknown;
    answer.status = StoreUnavailableError(
        absl::StrCat(doing, ": ", why.message(), warning_.empty() ? "" : "; ", warning_));
    Close();
  };
  warning_.clear();
  if (conn_ == nullptr) {
    unknown(absl::UnavailableError("the connection to the database is closed"));
    return answer;
  }
  const MonotonicTime deadline = clock_->Monotonic() + timeout;
  const std::vector<int> all_expected = Send(queries);
  if (all_expected.empty()) {
    unknown(absl::UnavailableError(PgOneLine(PQerrorMessage(conn_))));
    return answer;
  }
  absl::Status failed, refused;
  for (size_t i = 0; i < queries.size(); ++i) {
    // Results of preparation and query, each ended by a null; then that of the sync, without.
    const int expected = all_expected[i];
    bool synced = false;
    int ended = 0;
    while (!synced && failed.ok()) {
      pg_result* const result = Next(deadline, &failed);
      if (!failed.ok()) break;
      if (result == nullptr) {
        if (++ended > expected) failed = absl::UnavailableError("an answer of libpq is missing");
        continue;
      }
      PgRows rows(result);
      switch (PQresultStatus(result)) {
        case PGRES_COMMAND_OK:
        case PGRES_TUPLES_OK:
          if (ended + 1 < expected) {
            const PgStatement* const statement = queries[i].statement;
            if (statement->name[0] != '\0') prepared_.insert(statement);
          } else if (refused.ok()) {
            answer.rows.push_back(std::move(rows));
          }
          break;
        case PGRES_PIPELINE_SYNC:
          synced = true;
          break;
        case PGRES_PIPELINE_ABORTED:
          break;
        default: {
          const std::string text = ErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
          const absl::Status error =
              FromPgError(ErrorField(result, PG_DIAG_SQLSTATE), text, doing);
          // After the statement's own answer: the commit itself failed, in whatever way. Without a
          // SQLSTATE: the error is libpq's.
          if (ended >= expected || PQresultErrorField(result, PG_DIAG_SQLSTATE) == nullptr) {
            failed = absl::UnavailableError(text);
          }
          if (refused.ok()) {
            refused = error;
            answer.sqlstate = ErrorField(result, PG_DIAG_SQLSTATE);
          }
        }
      }
    }
    if (!failed.ok()) {
      unknown(failed);
      return answer;
    }
  }
  if (!warning_.empty()) {
    unknown(absl::UnavailableError("it ended with a warning"));
    return answer;
  }
  answer.end = refused.ok() ? PgAnswer::End::kDone : PgAnswer::End::kRefused;
  answer.status = refused;
  if (EndsPgConnection(answer.sqlstate)) Close();
  return answer;
}

absl::StatusOr<PgRows> PgConnection::Ask(const PgStatement& statement,
                                         std::vector<PgValue> parameters, absl::Duration timeout,
                                         absl::string_view doing) {
  const PgQuery queries[] = {{&statement, std::move(parameters)}};
  PgAnswer answer = Run(queries, timeout, doing);
  BELLWIRE_RETURN_IF_ERROR(answer.status);
  return std::move(answer.rows.front());
}

}  // namespace bellwire::registry
