#include "device-agent/inbox/inbox_schema.h"

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"

namespace bellwire::agent {
namespace {

constexpr int64_t kSchemaVersion = 4;

// AUTOINCREMENT: a delivery id is never used twice, even after the newest row was deleted.
// Unsigned 64-bit numbers are kept in SQLite's signed ones, bit by bit: never compare them in SQL.
// STRICT finds a value of the wrong kind when it is written, not when it is read.
constexpr char kSchema[] = R"(
BEGIN IMMEDIATE;
CREATE TABLE meta(
  key TEXT PRIMARY KEY NOT NULL,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE seen(
  first INTEGER PRIMARY KEY,
  last INTEGER NOT NULL
) STRICT;

CREATE TABLE items(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  registration_id INTEGER NOT NULL,
  message_id BLOB,
  dropped INTEGER NOT NULL,
  payload BLOB NOT NULL,
  accepted_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  collapse_key TEXT,
  checksum INTEGER NOT NULL,
  priority INTEGER NOT NULL DEFAULT 0,
  content BLOB NOT NULL DEFAULT x''
) STRICT;
CREATE INDEX items_of_app ON items(registration_id, id);
CREATE INDEX items_by_expiry ON items(expires_at_ms);
CREATE INDEX items_by_collapse_key ON items(registration_id, collapse_key)
  WHERE collapse_key IS NOT NULL;

CREATE TABLE apps(
  app_id TEXT PRIMARY KEY NOT NULL,
  owner INTEGER NOT NULL,
  registration_id INTEGER NOT NULL UNIQUE,
  token TEXT NOT NULL,
  given_up_to INTEGER NOT NULL,
  sandbox TEXT NOT NULL DEFAULT '',
  subscriber TEXT NOT NULL DEFAULT '',
  vapid_key BLOB NOT NULL DEFAULT x'',
  receipts INTEGER NOT NULL DEFAULT 0,
  server_owner BLOB NOT NULL DEFAULT x''
) STRICT, WITHOUT ROWID;

CREATE TABLE removals(
  app_id TEXT PRIMARY KEY NOT NULL,
  registration_id INTEGER NOT NULL,
  server_owner BLOB NOT NULL DEFAULT x''
) STRICT, WITHOUT ROWID;

CREATE TABLE app_acks(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  message_id BLOB NOT NULL,
  registration_id INTEGER NOT NULL,
  outcome INTEGER NOT NULL
) STRICT;

INSERT INTO meta VALUES('inbox_id', randomblob(16));
PRAGMA user_version = 4;
COMMIT;
)";

// From version 1, in which a user was all there was to an owner.
constexpr char kAddSandbox[] = R"(
BEGIN IMMEDIATE;
ALTER TABLE apps ADD COLUMN sandbox TEXT NOT NULL DEFAULT '';
PRAGMA user_version = 2;
COMMIT;
)";

// From version 2, which knew no subscriptions and nothing of what a payload is. Columns come last,
// in the order of kSchema.
constexpr char kAddSubscriptions[] = R"(
BEGIN IMMEDIATE;
ALTER TABLE apps ADD COLUMN subscriber TEXT NOT NULL DEFAULT '';
ALTER TABLE apps ADD COLUMN vapid_key BLOB NOT NULL DEFAULT x'';
ALTER TABLE apps ADD COLUMN receipts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE items ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE items ADD COLUMN content BLOB NOT NULL DEFAULT x'';
PRAGMA user_version = 3;
COMMIT;
)";

// From version 3, in which an app id was one user's only. Apps get the keys of app_key.h. The
// server knows their registrations without an owner, and they keep that: a token must not change
// with an update. Whose a removal was nobody knows any more, and nobody needs to.
constexpr char kAddAppKeys[] = R"(
BEGIN IMMEDIATE;
ALTER TABLE apps ADD COLUMN server_owner BLOB NOT NULL DEFAULT x'';
ALTER TABLE removals ADD COLUMN server_owner BLOB NOT NULL DEFAULT x'';
UPDATE apps SET app_id = 'app:' || owner || ':' || sandbox || ':' || app_id
  WHERE substr(app_id, 1, 4) <> 'sub:';
UPDATE removals SET app_id = 'app:::' || app_id WHERE substr(app_id, 1, 4) <> 'sub:';
PRAGMA user_version = 4;
COMMIT;
)";

absl::StatusOr<int64_t> SchemaVersion(Database* db) {
  BELLWIRE_ASSIGN_OR_RETURN(Statement version, db->Prepare("PRAGMA user_version"));
  BELLWIRE_ASSIGN_OR_RETURN(const bool row, version.Step());
  return row ? version.Int(0) : 0;
}

absl::Status CheckIntegrity(Database* db) {
  BELLWIRE_ASSIGN_OR_RETURN(Statement check, db->Prepare("PRAGMA integrity_check(1)"));
  BELLWIRE_ASSIGN_OR_RETURN(const bool row, check.Step());
  if (row && check.Bytes(0) == "ok") return absl::OkStatus();
  return MakeError(absl::StatusCode::kDataLoss, "DATABASE_DAMAGED",
                   row ? check.Bytes(0) : absl::string_view("no answer to integrity_check"));
}

}  // namespace

absl::Status PrepareInboxSchema(Database* db) {
  BELLWIRE_ASSIGN_OR_RETURN(const int64_t version, SchemaVersion(db));
  if (version == 0) return db->Execute(kSchema);
  if (version > kSchemaVersion) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "DATABASE_TOO_NEW",
                     absl::StrCat("its format ", version, " is newer than this agent's ",
                                  kSchemaVersion, ": start the newer agent again"));
  }
  BELLWIRE_RETURN_IF_ERROR(CheckIntegrity(db));
  if (version < 2) BELLWIRE_RETURN_IF_ERROR(db->Execute(kAddSandbox));
  if (version < 3) BELLWIRE_RETURN_IF_ERROR(db->Execute(kAddSubscriptions));
  if (version < 4) BELLWIRE_RETURN_IF_ERROR(db->Execute(kAddAppKeys));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<InboxStatements>> InboxStatements::Prepare(Database* db) {
  absl::Status error;
  auto prepare = [db, &error](absl::string_view sql) {
    absl::StatusOr<Statement> statement = db->Prepare(sql);
    if (statement.ok()) return *std::move(statement);
    error.Update(statement.status());
    return Statement::None();
  };
  std::unique_ptr<InboxStatements> s(new InboxStatements{
      .put_meta = prepare("INSERT OR REPLACE INTO meta VALUES(?, ?)"),
      .all_meta = prepare("SELECT key, value FROM meta"),

      .put_seen = prepare("INSERT OR REPLACE INTO seen VALUES(?, ?)"),
      .erase_seen = prepare("DELETE FROM seen WHERE first = ?"),
      .clear_seen = prepare("DELETE FROM seen"),
      .all_seen = prepare("SELECT first, last FROM seen"),

      .insert_item = prepare("INSERT INTO items(registration_id, message_id, dropped, payload,"
                             " accepted_at_ms, expires_at_ms, collapse_key, checksum,"
                             " priority, content) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      .last_item = prepare("SELECT coalesce(max(id), 0) FROM items WHERE registration_id = ?"),
      .items =
          prepare("SELECT id, message_id, dropped, payload, accepted_at_ms, checksum, priority,"
                  " content FROM items"
                  " WHERE registration_id = ? AND id > ? AND expires_at_ms > ?"
                  " ORDER BY id LIMIT ?"),
      .take_item = prepare("DELETE FROM items WHERE id = ? AND registration_id = ?"
                           " RETURNING message_id"),
      .collapse = prepare("DELETE FROM items WHERE registration_id = ? AND collapse_key = ?"
                          " AND id > ? RETURNING message_id"),
      .recall = prepare("DELETE FROM items WHERE registration_id = ? AND message_id = ?"
                        " AND id > ? RETURNING message_id"),
      .oldest = prepare("SELECT id, message_id, dropped FROM items WHERE registration_id = ?"
                        " AND id > ? ORDER BY id LIMIT ?"),
      .erase_item = prepare("DELETE FROM items WHERE id = ?"),
      .make_gap = prepare("UPDATE items SET message_id = NULL, payload = x'', content = x'',"
                          " collapse_key = NULL, dropped = ?, expires_at_ms = ? WHERE id = ?"),
      .expired = prepare("SELECT id, registration_id, message_id FROM items"
                         " WHERE expires_at_ms <= ? ORDER BY id"),
      .next_expiry = prepare("SELECT min(expires_at_ms) FROM items WHERE expires_at_ms > ?"),
      .drop_items = prepare("DELETE FROM items WHERE registration_id = ? RETURNING message_id"),
      .move_items = prepare("UPDATE items SET registration_id = ? WHERE registration_id = ?"),
      .count_items =
          prepare("SELECT registration_id, count(*) FROM items GROUP BY registration_id"),

      .put_app = prepare("INSERT OR REPLACE INTO apps VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      .set_given = prepare("UPDATE apps SET given_up_to = ? WHERE registration_id = ?"),
      .erase_app = prepare("DELETE FROM apps WHERE app_id = ?"),
      .all_apps = prepare("SELECT app_id, owner, registration_id, token, given_up_to, sandbox,"
                          " subscriber, vapid_key, receipts, server_owner FROM apps"),
      .void_tokens = prepare("UPDATE apps SET token = ''"),
      .void_token = prepare("UPDATE apps SET token = '' WHERE app_id = ?"),

      .put_removal = prepare("INSERT OR REPLACE INTO removals VALUES(?, ?, ?)"),
      .erase_removal = prepare("DELETE FROM removals WHERE app_id = ?"),
      .all_removals = prepare("SELECT app_id, registration_id, server_owner FROM removals"),

      .queue_app_ack = prepare("INSERT INTO app_acks(message_id, registration_id, outcome)"
                               " VALUES(?, ?, ?)"),
      .app_acks = prepare("SELECT id, message_id, registration_id, outcome FROM app_acks"
                          " WHERE id > ? ORDER BY id LIMIT ?"),
      .forget_app_acks = prepare("DELETE FROM app_acks WHERE id <= ?"),
  });
  if (!error.ok()) return error;
  return s;
}

}  // namespace bellwire::agent
