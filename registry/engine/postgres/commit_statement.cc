#include "registry/engine/postgres/commit_statement.h"

namespace bellwire::registry {
namespace {

// `held` is empty unless every lease has the epoch. It is asked of by each write, and a WITH is run
// as a whole before anything of it is committed. Two parts never write the same row.
constexpr PgStatement kCommit = {
    "commit",
    "WITH locked AS MATERIALIZED ("
    "  SELECT l.partition FROM bellwire.leases l"
    "  JOIN unnest($1::int2[], $2::int8[]) AS t (partition, epoch)"
    "  ON l.partition = t.partition AND l.epoch = t.epoch"
    "  ORDER BY l.partition FOR UPDATE OF l),"
    " held AS MATERIALIZED ("
    "  UPDATE bellwire.leases l SET commit_no = $3::int8"
    "  FROM locked WHERE l.partition = locked.partition"
    "  AND (SELECT count(*) FROM locked) = cardinality($1::int2[])"
    "  RETURNING l.partition),"
    " put AS ("
    "  INSERT INTO bellwire.records (partition, family, key, value)"
    "  SELECT w.partition, w.family, w.key, w.value"
    "  FROM unnest($4::int2[], $5::int2[], $6::bytea[], $7::bytea[])"
    "   AS w (partition, family, key, value)"
    "  WHERE (SELECT count(*) FROM held) > 0"
    "  ON CONFLICT (partition, family, key) DO UPDATE SET value = EXCLUDED.value),"
    " deleted AS ("
    "  DELETE FROM bellwire.records r"
    "  USING unnest($8::int2[], $9::int2[], $10::bytea[]) AS d (partition, family, key)"
    "  WHERE r.partition = d.partition AND r.family = d.family AND r.key = d.key"
    "  AND (SELECT count(*) FROM held) > 0),"
    " logged AS ("
    "  INSERT INTO bellwire.commit_log (partition, commit_no, entry)"
    "  SELECT $11::int2, $12::int8, $13::bytea"
    "  WHERE $12::int8 IS NOT NULL AND (SELECT count(*) FROM held) > 0),"
    " trimmed AS ("
    "  DELETE FROM bellwire.commit_log g WHERE g.partition = $11::int2"
    "  AND g.commit_no >= $14::int8 AND g.commit_no < $15::int8"
    "  AND (SELECT count(*) FROM held) > 0)"
    " SELECT count(*)::int8 FROM held"};

}  // namespace

void CommitStatement::Clear() {
  touched_.clear();
  for (PgArray* array : {&put_partitions_, &put_families_, &put_keys_, &put_values_,
                         &deleted_partitions_, &deleted_families_, &deleted_keys_}) {
    array->Clear();
  }
  log_partition_ = log_commit_ = log_entry_ = trim_from_ = trim_to_ = std::nullopt;
}

void CommitStatement::Touch(int partition) { touched_.insert(partition); }

void CommitStatement::Put(int partition, Family family, absl::string_view key,
                          absl::string_view value) {
  Touch(partition);
  put_partitions_.Add(PgInt2(static_cast<int16_t>(partition)));
  put_families_.Add(PgInt2(static_cast<int16_t>(family)));
  put_keys_.AddBytes(key);
  put_values_.AddBytes(value);
}

void CommitStatement::Delete(int partition, Family family, absl::string_view key) {
  Touch(partition);
  deleted_partitions_.Add(PgInt2(static_cast<int16_t>(partition)));
  deleted_families_.Add(PgInt2(static_cast<int16_t>(family)));
  deleted_keys_.AddBytes(key);
}

void CommitStatement::AppendToLog(int partition, int64_t commit, absl::string_view entry) {
  Touch(partition);
  log_partition_ = PgInt2(static_cast<int16_t>(partition));
  log_commit_ = PgInt8(commit);
  log_entry_ = PgBytes(entry);
}

void CommitStatement::TrimLog(int partition, int64_t from, int64_t to) {
  Touch(partition);
  log_partition_ = PgInt2(static_cast<int16_t>(partition));
  trim_from_ = PgInt8(from);
  trim_to_ = PgInt8(to);
}

PgQuery CommitStatement::Query(absl::FunctionRef<int64_t(int partition)> epoch_of,
                               int64_t commit_no) const {
  PgArray partitions(PgArray::Of::kInt2), epochs(PgArray::Of::kInt8);
  for (const int partition : touched_) {
    partitions.Add(PgInt2(static_cast<int16_t>(partition)));
    epochs.Add(PgInt8(epoch_of(partition)));
  }
  return {&kCommit,
          {partitions.value(), epochs.value(), PgInt8(commit_no), put_partitions_.value(),
           put_families_.value(), put_keys_.value(), put_values_.value(),
           deleted_partitions_.value(), deleted_families_.value(), deleted_keys_.value(),
           log_partition_, log_commit_, log_entry_, trim_from_, trim_to_}};
}

bool CommitStatement::WasMade(const PgRows& rows) const {
  return rows.Int8(0, 0) == static_cast<int64_t>(touched_.size());
}

}  // namespace bellwire::registry
