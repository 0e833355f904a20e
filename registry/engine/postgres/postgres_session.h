#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_POSTGRES_SESSION_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_POSTGRES_SESSION_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/clock.h"
#include "ops/metrics/counter.h"
#include "ops/metrics/histogram.h"
#include "registry/engine/device_reader.h"
#include "registry/engine/kv_engine.h"
#include "registry/engine/logged_commit.h"
#include "registry/engine/postgres/commit_statement.h"
#include "registry/engine/postgres/durability.h"
#include "registry/engine/postgres/leases.h"
#include "registry/engine/postgres/partitions.h"
#include "registry/engine/postgres/pg_connection.h"
#include "registry/engine/postgres/postgres_commit_log.h"
#include "registry/engine/postgres/record_table.h"
#include "registry/engine/postgres/schema.h"
#include "registry/engine/recent_writes.h"

namespace bellwire::registry {

// A connection of an owner of partitions, and what the table of records hasn't heard of: what
// PostgresEngine has between two failures. After any error it is good for nothing but to be closed.
//
// What is written last is in the log of the owner's own partition, which has entries of all of its
// partitions, an entry a commit. The row of a partition says which log that is and from which entry
// on. So who takes a partition over finds it, and nothing that the log's owner has written to it at
// an earlier time. Before a partition is given away, the table hears of all of it.
//
// Not thread-safe.
class PostgresSession final {
 public:
  struct Options {
    DatabaseDurability durability = DatabaseDurability::kStandby;
    absl::Duration commit_timeout;
    // Bounds what the table of records hasn't heard of.
    uint64_t max_recent_writes_bytes = 0;
    const Clock* clock = RealClock();
    int64_t owner = kNoOwner;
    // Whose partition is the owner's own.
    uint32_t feed = 0;
  };
  // What happened since the start of the engine. Thread-safe.
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

  // Owns nothing as yet. `counts` outlives it.
  PostgresSession(std::unique_ptr<PgConnection> connection, Options options, const StoreInfo& info,
                  Counts* counts);

  PgConnection* connection() { return connection_.get(); }
  const RecentWrites& recent() const { return recent_; }
  bool lost() const { return connection_->lost(); }
  // Number of the last commit that wrote to a partition that is owned, as of its taking.
  int64_t commit_no(int partition) const {
    return owned_.at(static_cast<int16_t>(partition)).commit_no;
  }

  // Begins to own what Take has answered on this connection, and reads the logs that have the
  // latest writes. What is in the log of somebody else is put into the table of records.
  absl::Status Add(int64_t epoch, const std::vector<TakenPartition>& taken);
  // Puts into the table of records what it hasn't heard of these, and gives them away.
  absl::Status Give(const std::vector<int16_t>& partitions, int64_t to, const std::string& address);

  // As DeviceReader.
  absl::Status ReadDevices(
      absl::Span<const std::string> devices, size_t max_bytes,
      absl::FunctionRef<void(Family family, const std::string& device, DeviceRecords records)>
          visit) const;

  struct Outcome {
    absl::Status status;
    // Nobody knows whether it was made. It is, if this partition has this number.
    bool unknown = false;
    int partition = 0;
    int64_t commit_no = 0;
    // Another epoch: it was not made.
    bool fenced = false;
  };
  Outcome Commit(const WriteSet& writes);

 private:
  struct Owned {
    int64_t epoch = 0;
    int64_t commit_no = 0;
    LogOfPartition log;
  };

  void Stage(Family family, absl::string_view key, const std::optional<std::string>& value);
  void StageRecent(const WriteSet& writes, const LogPlace& place, uint64_t kept_bytes);
  // Commits what is staged.
  Outcome Run();
  // Reads the own log, which has the latest writes since the start of the one before.
  absl::Status ReadOwnLog();
  // Puts into the table what this log of another owner says, and ends it.
  absl::Status TakeLog(int16_t log);
  // The own log has what is written to these from now on.
  absl::Status UseOwnLog(const std::vector<int16_t>& partitions);
  // Whether an entry of `log` is about a partition whose latest writes are there.
  bool IsLatest(int16_t log, uint64_t commit, Family family, absl::string_view key) const;
  void NoteOwned();

  const Options options_;
  const Partitions partitions_;
  const std::unique_ptr<PgConnection> connection_;
  std::map<int16_t, Owned> owned_;
  int64_t last_commit_no_ = 0;
  RecordTable table_;
  RecentWrites recent_{&table_};
  CommitStatement statement_;
  PostgresCommitLog log_;
  LoggedCommit entry_;
  bool own_log_read_ = false;
  // Of the log's entries.
  uint64_t last_entry_ = 0;
  uint64_t logged_bytes_ = 0;
  Counts& counts_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_POSTGRES_SESSION_H_
