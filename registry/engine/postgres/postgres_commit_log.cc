#include "registry/engine/postgres/postgres_commit_log.h"

#include "common/status_macros.h"

namespace bellwire::registry {
namespace {

constexpr absl::Duration kReadTimeout = absl::Seconds(10);

constexpr PgStatement kRead = {
    "read_commit_log",
    "SELECT commit_no, entry FROM bellwire.commit_log"
    " WHERE partition = $1::int2 AND commit_no >= $2::int8 ORDER BY commit_no LIMIT $3::int8"};

}  // namespace

void PostgresCommitLog::Append(uint64_t commit, absl::string_view entry) {
  if (first_ == 0) first_ = commit;
  statement_.AppendToLog(partition_, static_cast<int64_t>(commit), entry);
}

void PostgresCommitLog::TrimTo(uint64_t commit) {
  if (first_ == 0 || first_ >= commit) return;
  // With its lower bound: else each removal would look at all that is removed and not yet vacuumed.
  statement_.TrimLog(partition_, static_cast<int64_t>(first_), static_cast<int64_t>(commit));
  first_ = commit;
}

absl::Status PostgresCommitLog::ReadFrom(
    uint64_t commit,
    absl::FunctionRef<absl::Status(uint64_t commit, absl::string_view entry)> visit) const {
  const bool from_start = commit == 0;
  while (true) {
    BELLWIRE_ASSIGN_OR_RETURN(
        const PgRows rows,
        connection_.Ask(kRead,
                        {PgInt2(static_cast<int16_t>(partition_)),
                         PgInt8(static_cast<int64_t>(commit)), PgInt8(kPageEntries)},
                        kReadTimeout, "reading the commit log"));
    for (int row = 0; row < rows.count(); ++row) {
      commit = static_cast<uint64_t>(rows.Int8(row, 0));
      if (from_start && first_ == 0) first_ = commit;
      BELLWIRE_RETURN_IF_ERROR(visit(commit, rows.Bytes(row, 1)));
    }
    if (rows.count() < kPageEntries) return absl::OkStatus();
    ++commit;
  }
}

}  // namespace bellwire::registry
