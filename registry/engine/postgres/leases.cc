#include "registry/engine/postgres/leases.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "registry/engine/store_error.h"

namespace bellwire::registry {
namespace {

constexpr PgStatement kReadOwners = {
    "read_owners",
    "SELECT l.owner, max(l.address)::text, max(l.epoch)::int8, count(*)::int8,"
    " coalesce(max(h.counter), -1)::int8"
    " FROM bellwire.leases l LEFT JOIN bellwire.heartbeats h ON h.owner = l.owner"
    " GROUP BY l.owner ORDER BY l.owner"};

constexpr PgStatement kBeatHeart = {
    "beat_heart",
    "INSERT INTO bellwire.heartbeats AS h VALUES ($1::int8, 1)"
    " ON CONFLICT (owner) DO UPDATE SET counter = h.counter + 1"};

// Waits for each of them to end, up to a second. What it was about to commit is committed or not.
constexpr PgStatement kEndConnections = {
    "end_connections",
    "SELECT pg_catalog.pg_terminate_backend(pid, 1000) FROM pg_catalog.pg_stat_activity"
    " WHERE application_name = ANY ($1::text[]) AND usename = current_user"
    " AND pid <> pg_catalog.pg_backend_pid()"};

// The rows are locked in the order of partitions, as in a commit, so that two never wait for each
// other. Where one of them has another owner now, none is taken.
constexpr PgStatement kTake = {
    "take_leases",
    "WITH locked AS MATERIALIZED ("
    "  SELECT l.partition FROM bellwire.leases l"
    "  WHERE l.partition = ANY ($1::int2[]) AND l.owner = ANY ($2::int8[]) AND l.epoch < $5::int8"
    "  ORDER BY l.partition FOR UPDATE),"
    " taken AS ("
    "  UPDATE bellwire.leases l"
    "  SET owner = $3::int8, address = $4::text, epoch = $5::int8,"
    "      backend_pid = pg_catalog.pg_backend_pid()"
    "  FROM locked WHERE l.partition = locked.partition"
    "  AND (SELECT count(*) FROM locked) = cardinality($1::int2[])"
    "  RETURNING l.partition, l.commit_no)"
    " SELECT partition::int8, commit_no FROM taken ORDER BY partition"};

constexpr PgStatement kRelease = {
    "release_leases",
    "UPDATE bellwire.leases SET owner = 0, address = '', epoch = epoch + 1"
    " WHERE owner = $1::int8"};
constexpr PgStatement kForgetHeartbeat = {
    "forget_heartbeat", "DELETE FROM bellwire.heartbeats WHERE owner = $1::int8"};
constexpr PgStatement kForgetOthers = {
    "forget_other_heartbeats",
    "DELETE FROM bellwire.heartbeats h WHERE h.owner <> $1::int8 AND NOT EXISTS"
    " (SELECT FROM bellwire.leases l WHERE l.owner = h.owner)"};

}  // namespace

constexpr PgStatement kReadStandbyNames = {
    "read_standby_names",
    "SELECT pg_catalog.current_setting('synchronous_standby_names')::text"};

absl::StatusOr<std::vector<LeaseOwner>> ReadOwners(PgConnection* connection) {
  BELLWIRE_ASSIGN_OR_RETURN(
      const PgRows rows, connection->Ask(kReadOwners, {}, kLeaseTimeout, "reading the leases"));
  std::vector<LeaseOwner> owners;
  for (int row = 0; row < rows.count(); ++row) {
    owners.push_back({.id = rows.Int8(row, 0),
                      .address = std::string(rows.Bytes(row, 1)),
                      .epoch = rows.Int8(row, 2),
                      .partitions = rows.Int8(row, 3),
                      .counter = rows.Int8(row, 4)});
  }
  return owners;
}

absl::Status BeatHeart(PgConnection* connection, int64_t owner) {
  return connection->Ask(kBeatHeart, {PgInt8(owner)}, kLeaseTimeout, "a heartbeat").status();
}

std::string NameOfConnection(int64_t owner) {
  return absl::StrFormat("bellwire-registry %016x", static_cast<uint64_t>(owner));
}

absl::StatusOr<std::optional<Taken>> Take(PgConnection* connection, const Taking& taking) {
  PgArray names(PgArray::Of::kText), partitions(PgArray::Of::kInt2), from(PgArray::Of::kInt8);
  for (const int64_t owner : taking.from) {
    from.Add(PgInt8(owner));
    if (owner != kNoOwner) names.AddBytes(NameOfConnection(owner));
  }
  names.AddBytes(NameOfConnection(taking.owner));
  for (const int16_t partition : taking.partitions) partitions.Add(PgInt2(partition));
  const PgQuery queries[] = {
      {&kEndConnections, {names.value()}},
      {&kTake,
       {partitions.value(), from.value(), PgInt8(taking.owner), PgBytes(taking.address),
        PgInt8(taking.epoch)}},
      {&kReadStandbyNames, {}},
  };
  const PgAnswer answer = connection->Run(queries, kLeaseTimeout, "taking the partitions");
  BELLWIRE_RETURN_IF_ERROR(answer.status);
  // If it has one copy only, a failover may forget that the old owner was fenced.
  BELLWIRE_RETURN_IF_ERROR(
      CheckStandbyNames(taking.durability, answer.rows.back().Bytes(0, 0)));
  const PgRows& rows = answer.rows[1];
  if (rows.count() == 0) return std::optional<Taken>();
  if (rows.count() != static_cast<int>(taking.partitions.size())) {
    return StoreCorruptError("the table of leases lacks partitions");
  }
  Taken taken;
  for (int row = 0; row < rows.count(); ++row) taken.commit_no.push_back(rows.Int8(row, 1));
  return std::optional<Taken>(std::move(taken));
}

absl::Status Release(PgConnection* connection, int64_t owner) {
  BELLWIRE_RETURN_IF_ERROR(
      connection->Ask(kRelease, {PgInt8(owner)}, kLeaseTimeout, "giving the partitions back")
          .status());
  return connection
      ->Ask(kForgetHeartbeat, {PgInt8(owner)}, kLeaseTimeout, "forgetting a heartbeat")
      .status();
}

absl::Status ForgetOtherHeartbeats(PgConnection* connection, int64_t owner) {
  return connection
      ->Ask(kForgetOthers, {PgInt8(owner)}, kLeaseTimeout, "forgetting heartbeats")
      .status();
}

}  // namespace bellwire::registry
