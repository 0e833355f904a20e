#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_POSTGRES_ENGINE_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_POSTGRES_ENGINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
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
#include "registry/engine/postgres/pg_connection.h"
#include "registry/engine/postgres/schema.h"

namespace bellwire::registry {

// Records in PostgreSQL, which copies them to other machines (docs/decisions/postgres_engine.md).
// One engine owns all partitions; another one of the same store waits until it is silent, and takes
// them.
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
    // Tests reach these sooner.
    absl::Duration lease_silence = kLeaseSilence;
    absl::Duration commit_timeout = kCommitTimeout;
    // Bounds what the table of records hasn't heard of.
    uint64_t max_recent_writes_bytes = kMaxRecentWritesBytes;
  };

  // Takes all partitions, and reads what its predecessor has left to do.
  //   INVALID_ARGUMENT BAD_DATABASE, FAILED_PRECONDITION DATABASE_SETUP: as PgConnection::Connect
  //   FAILED_PRECONDITION STORE_FORMAT: as ReadStoreInfo
  //   UNAVAILABLE LEASE_HELD: another registry owns them, and lives; `wait` is empty or said no
  //   UNAVAILABLE REGISTRY_UNAVAILABLE: the database can't be reached, or has one copy of a commit
  //   DATA_LOSS STORE_CORRUPT
  static absl::StatusOr<std::unique_ptr<PostgresEngine>> Open(Options options);

  // Gives the partitions back, so that the next one needs not wait.
  ~PostgresEngine() override;

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

  // What happened since the start. Thread-safe.
  struct Counts {
    metrics::Counter commits;
    // Commits whose answer was lost, and what the database said of them.
    metrics::Counter unknown;
    metrics::Counter unknown_made;
    // How often the partitions were taken anew after a failure.
    metrics::Counter resumed;
    // Round trips of reads, those that failed too.
    metrics::Histogram reads{metrics::kAnswerTimes, metrics::Histogram::Unit::kMicroseconds};
  };
  const Counts& counts() const { return counts_; }

  // The process dies: the partitions are not given back. For tests.
  void Die() { dies_ = true; }

 private:
  class Session;
  friend class Session;

  explicit PostgresEngine(Options options);

  // A connection for commits, to a database that may be used.
  absl::StatusOr<std::unique_ptr<PgConnection>> Connect() const;
  // Takes the partitions at the first time. nullopt: another owner lives, who is *holder.
  absl::StatusOr<std::unique_ptr<Session>> TryTake(LeaseWatch* watch, std::string* holder);
  absl::StatusOr<std::unique_ptr<Session>> TakeFrom(std::unique_ptr<PgConnection> connection,
                                                    const std::vector<LeaseOwner>& owners,
                                                    std::vector<int64_t> from) const;
  // Takes the partitions from itself, on a new connection.
  absl::StatusOr<std::unique_ptr<Session>> Resume() const;
  // The session, made anew if there is none and it is time to try.
  absl::StatusOr<Session*> Ready() const;
  absl::StatusOr<Session*> MakeReady() const;
  // Closes the session after a failure. The next attempt to make one may come after `pause`.
  void Drop(const absl::Status& why, absl::Duration pause) const;
  // Of a read: closes the session if its connection broke.
  void NoteRead(const absl::Status& status) const;

  const Options options_;
  // Names this engine among all that there ever were.
  const int64_t owner_;
  StoreInfo info_;
  uint64_t numbers_after_ = 0;
  std::unique_ptr<Heartbeat> heartbeat_;
  // Null after a failure. Reads may make one again, which changes nothing that they answer.
  mutable std::unique_ptr<Session> session_;
  mutable MonotonicTime next_attempt_;
  mutable absl::Status last_error_;
  mutable bool fenced_ = false;
  mutable LogLimit failures_;
  mutable Counts counts_;
  bool dies_ = false;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_POSTGRES_ENGINE_H_
