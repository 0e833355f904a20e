#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_COMMIT_STATEMENT_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_COMMIT_STATEMENT_H_

#include <cstdint>
#include <string>

#include "absl/container/btree_set.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "registry/engine/kv_engine.h"
#include "registry/engine/postgres/pg_connection.h"
#include "registry/engine/postgres/pg_values.h"

namespace bellwire::registry {

// A commit as the one statement that it is: it locks the leases of all partitions that it writes
// to, in their order, and writes exactly if each has the owner's epoch. An open transaction would
// let an owner that sleeps hold the rows for as long as it does.
//
// Reusable, so that its buffers grow once. Not thread-safe.
class CommitStatement {
 public:
  void Clear();

  // The owner must have it, too, for the commit to be made.
  void Touch(int partition);
  // Each key once.
  void Put(int partition, Family family, absl::string_view key, absl::string_view value);
  void Delete(int partition, Family family, absl::string_view key);
  // At most one entry, and one range.
  void AppendToLog(int partition, int64_t commit, absl::string_view entry);
  // Removes the entries in [from, to).
  void TrimLog(int partition, int64_t from, int64_t to);

  bool empty() const { return touched_.empty(); }
  const absl::btree_set<int>& touched() const { return touched_; }

  // The commit. Its one row is the number of leases that it holds; fewer than touched(): it is
  // fenced, and has written nothing. `commit_no` becomes that of each partition. `epoch_of` tells
  // under which epoch the owner has taken a partition.
  PgQuery Query(absl::FunctionRef<int64_t(int partition)> epoch_of, int64_t commit_no) const;
  // Whether `rows`, the answer to Query, say that it was made.
  bool WasMade(const PgRows& rows) const;

 private:
  absl::btree_set<int> touched_;
  PgArray put_partitions_{PgArray::Of::kInt2};
  PgArray put_families_{PgArray::Of::kInt2};
  PgArray put_keys_{PgArray::Of::kBytes};
  PgArray put_values_{PgArray::Of::kBytes};
  PgArray deleted_partitions_{PgArray::Of::kInt2};
  PgArray deleted_families_{PgArray::Of::kInt2};
  PgArray deleted_keys_{PgArray::Of::kBytes};
  PgValue log_partition_;
  PgValue log_commit_;
  PgValue log_entry_;
  PgValue trim_from_;
  PgValue trim_to_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_COMMIT_STATEMENT_H_
