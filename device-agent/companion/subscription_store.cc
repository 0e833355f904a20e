#include "device-agent/companion/subscription_store.h"

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"

namespace bellwire::companion {
namespace {

using agent::Database;
using agent::Statement;

constexpr int64_t kSchemaVersion = 1;

// STRICT finds a value of the wrong kind when it is written, not when it is read.
constexpr char kSchema[] = R"(
BEGIN IMMEDIATE;
CREATE TABLE subscriptions(
  instance TEXT PRIMARY KEY NOT NULL,
  owner TEXT NOT NULL,
  vapid_key BLOB NOT NULL,
  note BLOB NOT NULL,
  endpoint TEXT NOT NULL,
  dying INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
COMMIT;
)";

}  // namespace

absl::StatusOr<std::unique_ptr<SubscriptionStore>> SubscriptionStore::Open(
    const std::string& path) {
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<Database> db, Database::Open(path));
  std::unique_ptr<SubscriptionStore> store(new SubscriptionStore(std::move(db)));
  BELLWIRE_RETURN_IF_ERROR(store->Prepare());
  return store;
}

absl::Status SubscriptionStore::Prepare() {
  int64_t version = 0;
  {
    BELLWIRE_ASSIGN_OR_RETURN(Statement statement, db_->Prepare("PRAGMA user_version"));
    BELLWIRE_ASSIGN_OR_RETURN(const bool found, statement.Step());
    if (found) version = statement.Int(0);
  }
  if (version == 0) return db_->Execute(kSchema);
  if (version == kSchemaVersion) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kFailedPrecondition, "DATABASE_TOO_NEW",
      absl::StrCat("the subscriptions were written by a later version (schema ", version,
                   "; this one knows ", kSchemaVersion, "): install that version again"));
}

absl::StatusOr<std::vector<SubscriptionStore::Entry>> SubscriptionStore::Load() {
  std::vector<Entry> entries;
  BELLWIRE_ASSIGN_OR_RETURN(
      Statement statement,
      db_->Prepare("SELECT instance, owner, vapid_key, note, endpoint, dying FROM subscriptions"
                   " ORDER BY instance"));
  while (true) {
    BELLWIRE_ASSIGN_OR_RETURN(const bool found, statement.Step());
    if (!found) return entries;
    Entry& entry = entries.emplace_back();
    entry.subscription.instance = std::string(statement.Bytes(0));
    entry.subscription.owner = std::string(statement.Bytes(1));
    entry.subscription.vapid_key = std::string(statement.Bytes(2));
    entry.subscription.note = std::string(statement.Bytes(3));
    entry.subscription.endpoint = std::string(statement.Bytes(4));
    entry.dying = statement.Int(5) != 0;
  }
}

absl::Status SubscriptionStore::Put(const Subscription& subscription) {
  BELLWIRE_ASSIGN_OR_RETURN(
      Statement statement,
      db_->Prepare("INSERT INTO subscriptions VALUES(?, ?, ?, ?, ?, 0) ON CONFLICT(instance) DO"
                   " UPDATE SET owner = excluded.owner, vapid_key = excluded.vapid_key,"
                   " note = excluded.note, endpoint = excluded.endpoint, dying = 0"));
  return statement.BindText(subscription.instance)
      .BindText(subscription.owner)
      .BindBlob(subscription.vapid_key)
      .BindBlob(subscription.note)
      .BindText(subscription.endpoint)
      .Run();
}

absl::Status SubscriptionStore::SetEndpoint(const std::string& instance,
                                            const std::string& endpoint) {
  BELLWIRE_ASSIGN_OR_RETURN(
      Statement statement,
      db_->Prepare("UPDATE subscriptions SET endpoint = ? WHERE instance = ?"));
  return statement.BindText(endpoint).BindText(instance).Run();
}

absl::Status SubscriptionStore::SetDying(const std::string& instance) {
  BELLWIRE_ASSIGN_OR_RETURN(Statement statement,
                            db_->Prepare("UPDATE subscriptions SET dying = 1 WHERE instance = ?"));
  return statement.BindText(instance).Run();
}

absl::Status SubscriptionStore::Remove(const std::string& instance) {
  BELLWIRE_ASSIGN_OR_RETURN(Statement statement,
                            db_->Prepare("DELETE FROM subscriptions WHERE instance = ?"));
  return statement.BindText(instance).Run();
}

}  // namespace bellwire::companion
