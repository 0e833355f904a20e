#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_POSTGRES_SNAPSHOT_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_POSTGRES_SNAPSHOT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "registry/engine/kv_engine.h"
#include "registry/engine/postgres/leases.h"
#include "registry/engine/postgres/partitions.h"
#include "registry/engine/postgres/pg_connection.h"
#include "registry/engine/postgres/schema.h"

namespace bellwire::registry {

// All records of a store in PostgreSQL as of one moment, those included that only the commit logs
// know: what every owner had committed then. Owners go on meanwhile. It is a transaction, so the
// server keeps what is deleted meanwhile: keep it short where owners are busy.
//
// Not thread-safe. Errors of reads: as PostgresEngine.
class PostgresSnapshot {
 public:
  static constexpr absl::Duration kReadTimeout = absl::Seconds(30);

  // Begins the transaction on a connection that has none. `connection` outlives the snapshot.
  //   FAILED_PRECONDITION STORE_FORMAT: as ReadStoreInfo
  //   DATA_LOSS STORE_CORRUPT: a commit log is damaged
  //   UNAVAILABLE REGISTRY_UNAVAILABLE
  static absl::StatusOr<std::unique_ptr<PostgresSnapshot>> Open(PgConnection* connection);

  // Ends the transaction.
  ~PostgresSnapshot();
  PostgresSnapshot(const PostgresSnapshot&) = delete;
  PostgresSnapshot& operator=(const PostgresSnapshot&) = delete;

  const Partitions& partitions() const { return partitions_; }
  uint64_t numbers_after() const { return numbers_after_; }
  // Who owned the partitions at that moment.
  const std::vector<LeaseOwner>& owners() const { return owners_; }

  // The store as one partition of it. A scan of a whole family, or of a range that may lie in
  // several partitions, finds this partition's records; every other read finds what it names,
  // wherever it is. So a check of each partition in turn looks at every record once, and can follow
  // references into other partitions.
  class Reader final : public KvReader {
   public:
    enum class Outbox {
      // The partition's own entries.
      kOwn,
      // What is said about numbers of subscribers is weighed together with what is on its way
      // there: the reader of the shared partition finds the entries of all, and the others none.
      kAllInShared,
    };
    Reader(const PostgresSnapshot* snapshot, int partition, Outbox outbox)
        : snapshot_(*snapshot), partition_(partition), outbox_(outbox) {}

    // Reads the partition's records into memory, so that no further read of them is a round trip.
    absl::Status Hold();

    absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                   absl::string_view key) const override;
    absl::Status Scan(Family family, absl::string_view from, absl::string_view to,
                      absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit)
        const override;

   private:
    absl::Status ScanTable(
        int partition, Family family, absl::string_view from, absl::string_view to,
        absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const;
    absl::Status ScanPartition(
        int partition, Family family, absl::string_view from, absl::string_view to,
        absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const;

    const PostgresSnapshot& snapshot_;
    const int partition_;
    const Outbox outbox_;
    // Of the table, after Hold.
    std::optional<absl::btree_map<KvKey, std::string, KvKeyLess>> held_;
  };

 private:
  PostgresSnapshot(PgConnection* connection, StoreInfo info)
      : connection_(*connection), partitions_(info.partitions, std::move(info.key)) {}

  absl::Status ReadRecent();
  // What the commit logs say of a partition. Null: nothing.
  const WriteSet* RecentOf(int partition) const;
  // A page of the table.
  absl::StatusOr<PgRows> ReadPage(int partition, Family family, absl::string_view from,
                                  absl::string_view to) const;
  absl::StatusOr<std::optional<std::string>> ReadTable(int partition, Family family,
                                                       absl::string_view key) const;

  PgConnection& connection_;
  const Partitions partitions_;
  uint64_t numbers_after_ = 0;
  std::vector<LeaseOwner> owners_;
  // By partition.
  absl::btree_map<int, WriteSet> recent_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_POSTGRES_SNAPSHOT_H_
