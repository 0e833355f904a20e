#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_POSTGRES_ENGINE_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_POSTGRES_ENGINE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/log_limit.h"
#include "ops/metrics/counter.h"
#include "ops/metrics/histogram.h"
#include "registry/engine/device_reader.h"
#include "registry/engine/kv_engine.h"
#include "registry/engine/postgres/durability.h"
#include "registry/engine/postgres/heartbeat.h"
#include "registry/engine/postgres/lease_watch.h"
#include "registry/engine/postgres/leases.h"
#include "registry/engine/postgres/partitions.h"
#include "registry/engine/postgres/pg_connection.h"
#include "registry/engine/postgres/postgres_session.h"
#include "registry/engine/postgres/schema.h"

namespace bellwire::registry {

// Records in PostgreSQL, which copies them to other machines (docs/decisions/postgres_engine.md).
// One engine owns all partitions, and another one of the same store waits until it is silent, and
// takes them; or several share them, each with those that it was told to take. Who shares reads
// what belongs to no device of this engine from the database, whoever owns it; such records are
// never only in an owner's memory.
//
// A commit is one statement, which writes nothing unless its owner still has the lease. A commit
// whose answer is lost is looked for in the database before anything else is done: it is there, or
// it can't come any more.
//
// After any failed commit nothing that this process believes is trusted: the partitions are taken
// anew, from itself, and everything is read again. Until that succeeds everything is UNAVAILABLE.
//
// Further errors, of reads as of commits:
//   UNAVAILABLE NOT_OWNER: another registry owns the partitions. Final.
//
// Not thread-safe. Each call may take as long as a round trip to the database, and kCommitTimeout,
// a connection and a taking of the partitions at worst.
class PostgresEngine final : public KvEngine, public DeviceReader {
 public:
  // A commit that takes longer is looked for in the database.
  static constexpr absl::Duration kCommitTimeout = absl::Seconds(5);
  static constexpr absl::Duration kReadTimeout = absl::Seconds(5);
  // How long the epoch may take to be raised to look for a commit. Together with kCommitTimeout
  // less than callers wait (kRegistryCallTimeout), also where no standby acknowledges anything.
  static constexpr absl::Duration kResumeTimeout = absl::Seconds(2);
  // Who has not seen an owner's heartbeat for so long may take its partitions.
  static constexpr absl::Duration kLeaseSilence = absl::Seconds(5);

  struct Options {
    // As PgConnection::Options::database.
    std::string database;
    // What this registry says of itself in the leases, for operators.
    std::string address;
    DatabaseDurability durability = DatabaseDurability::kStandby;
    // Not owned; outlives the engine.
    const Clock* clock = nullptr;
    // Called between two looks at an owner that lives: waits for so long, and answers whether to go
    // on. Empty: Open does not wait.
    std::function<bool(absl::Duration)> wait;
    // Called once, when another registry owns the partitions, on the thread that uses the engine.
    // May be empty.
    std::function<void()> on_fenced;
    // Shares the partitions with other engines: Open takes no more than one of its own, and does
    // not wait for anybody.
    bool shares = false;
    // As Heartbeat::Options::after_beat. May be empty.
    std::function<absl::Duration(PgConnection* connection)> after_heartbeat;
    // Tests reach these sooner.
    absl::Duration lease_silence = kLeaseSilence;
    absl::Duration commit_timeout = kCommitTimeout;
    // Bounds what the table of records hasn't heard of.
    uint64_t max_recent_writes_bytes = kMaxRecentWritesBytes;
  };

  // Takes all partitions, or one of its own if it shares them, and reads what its predecessor has
  // left to do.
  //   INVALID_ARGUMENT BAD_DATABASE, FAILED_PRECONDITION DATABASE_SETUP: as PgConnection::Connect
  //   FAILED_PRECONDITION STORE_FORMAT: as ReadStoreInfo
  //   UNAVAILABLE LEASE_HELD: another registry owns them, and lives; `wait` is empty or said no. Or
  //     more registries share the store than can
  //   UNAVAILABLE REGISTRY_UNAVAILABLE: the database can't be reached, or has one copy of a commit
  //   DATA_LOSS STORE_CORRUPT
  static absl::StatusOr<std::unique_ptr<PostgresEngine>> Open(Options options);

  // Gives the partitions back, so that the next one needs not wait.
  ~PostgresEngine() override;

  // --- Of an engine that shares. REQUIRES: Options::shares.

  // Names this engine in the leases.
  int64_t owner() const { return owner_; }
  // Which feed is its own.
  uint32_t feed() const { return feed_; }
  const Partitions& partitions() const { return *partitions_; }
  // Of the hash of devices.
  const std::string& hash_key() const { return info_.key; }
  // What it says of itself in the leases from now on. Errors: as Commit.
  absl::Status SetAddress(const std::string& address);
  // What it owns, its own partition included. After an error of the two below it may be more or
  // less than before.
  const std::set<int16_t>& owned() const { return owned_; }
  bool Owns(int partition) const { return owned_.count(static_cast<int16_t>(partition)) > 0; }
  // When a partition came from another owner, as a number that is greater than those of all owners
  // before, those of the store before it came here among them (NumbersOfStart).
  // REQUIRES: Owns(partition).
  uint64_t OwnedSince(int partition) const;
  // Takes all of these over from whoever has them according to the leases, or none: false, if it
  // has changed since. What was the own partition of a dead owner is let go again, once the log is
  // read.
  absl::StatusOr<bool> TakeOver(const std::vector<Lease>& leases);
  // Gives these away.
  absl::Status Give(const std::vector<int16_t>& partitions, int64_t to, const std::string& address);

  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 absl::string_view key) const override;
  absl::StatusOr<std::optional<absl::string_view>> View(Family family, absl::string_view key,
                                                        std::string* storage) const override;
  absl::Status Scan(
      Family family, absl::string_view from, absl::string_view to,
      absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const override;
  // An empty one says whether this engine still owned all partitions after the call began, so that
  // what it has read before may be answered. It costs as much as another one.
  absl::Status Commit(const WriteSet& writes) override;

  // One round trip for up to RecordTable::kMaxDevicesAtOnce.
  absl::Status ReadDevices(
      absl::Span<const std::string> devices, size_t max_bytes,
      absl::FunctionRef<void(Family family, const std::string& device, DeviceRecords records)>
          visit) const override;

  // NumbersOfStart of this start (registry/keys/keys.h), which is durable.
  uint64_t numbers_after() const { return numbers_after_; }

  using Counts = PostgresSession::Counts;
  const Counts& counts() const { return counts_; }

  // The process dies: the partitions are not given back. For tests.
  void Die() { dies_ = true; }

 private:
  explicit PostgresEngine(Options options);

  // A connection for commits, to a database that may be used.
  absl::StatusOr<std::unique_ptr<PgConnection>> Connect() const;
  // Reads what store it is, numbers the start, and lets everybody know that it lives.
  absl::Status Begin(PgConnection* connection);
  // Takes the partitions at the first time. nullptr: another owner lives, who is *holder.
  absl::StatusOr<std::unique_ptr<PostgresSession>> TryTake(LeaseWatch* watch, std::string* holder);
  // Takes the one of its own.
  absl::StatusOr<std::unique_ptr<PostgresSession>> TryTakeOwn();
  // nullptr: others were quicker.
  absl::StatusOr<std::unique_ptr<PostgresSession>> TakeFrom(
      std::unique_ptr<PgConnection> connection, const std::vector<Lease>& leases) const;
  Taking TakingOf(const std::vector<Lease>& leases) const;
  void NoteTaken(const std::vector<Lease>& leases, uint64_t number);
  // Takes the partitions from itself, on a new connection.
  absl::StatusOr<std::unique_ptr<PostgresSession>> Resume() const;
  // The session, made anew if there is none and it is time to try.
  absl::StatusOr<PostgresSession*> Ready() const;
  absl::StatusOr<PostgresSession*> MakeReady() const;
  // Closes the session after a failure. The next attempt to make one may come after `pause`.
  void Drop(const absl::Status& why, absl::Duration pause) const;
  // Of a read: closes the session if its connection broke.
  void NoteRead(const absl::Status& status) const;

  Options options_;
  // Names this engine among all that there ever were.
  const int64_t owner_;
  StoreInfo info_;
  uint32_t feed_ = 0;
  std::unique_ptr<Partitions> partitions_;
  uint64_t numbers_after_ = 0;
  // What it owns, as far as it knows; and what of it may be somebody else's, since a Give has
  // failed.
  mutable std::set<int16_t> owned_;
  mutable std::set<int16_t> perhaps_given_;
  mutable std::map<int16_t, uint64_t> owned_since_;
  std::unique_ptr<Heartbeat> heartbeat_;
  // Null after a failure. Reads may make one again, which changes nothing that they answer.
  mutable std::unique_ptr<PostgresSession> session_;
  mutable MonotonicTime next_attempt_;
  mutable absl::Status last_error_;
  mutable bool fenced_ = false;
  mutable LogLimit failures_;
  mutable Counts counts_;
  bool dies_ = false;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_POSTGRES_ENGINE_H_
