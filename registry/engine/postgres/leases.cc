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
    "SELECT l.owner, max(l.address)::text, max(l.epoch)::int8,"
    " sum((l.partition <= s.partitions)::int4)::int8, coalesce(max(h.counter), -1)::int8"
    " FROM bellwire.leases l CROSS JOIN bellwire.store s"
    " LEFT JOIN bellwire.heartbeats h ON h.owner = l.owner"
    " WHERE l.owner <> 0 OR l.partition <= s.partitions"
    " GROUP BY l.owner ORDER BY l.owner"};

constexpr PgStatement kReadLeases = {
    "read_leases",
    "SELECT partition::int8, owner, address, epoch, wanted_by FROM bellwire.leases"
    " ORDER BY partition"};

constexpr PgStatement kReadMembers = {
    "read_members",
    "SELECT owner, address, counter, draining::int4::int8 FROM bellwire.heartbeats ORDER BY owner"};

constexpr PgStatement kBeatHeart = {
    "beat_heart",
    "INSERT INTO bellwire.heartbeats AS h (owner, counter, address, draining)"
    " VALUES ($1::int8, 1, $2::text, $3::int4 <> 0)"
    " ON CONFLICT (owner) DO UPDATE SET counter = h.counter + 1, address = EXCLUDED.address,"
    " draining = h.draining OR EXCLUDED.draining"};

constexpr PgStatement kSetDraining = {
    "set_draining",
    "UPDATE bellwire.heartbeats SET draining = $2::int4 <> 0 WHERE address = $1::text"
    " RETURNING owner"};

constexpr PgStatement kAskFor = {
    "ask_for_leases",
    "WITH locked AS MATERIALIZED ("
    "  SELECT l.partition FROM bellwire.leases l"
    "  WHERE l.partition = ANY ($1::int2[]) AND l.owner <> $2::int8"
    "  AND NOT (l.wanted_by = ANY ($3::int8[]))"
    "  ORDER BY l.partition FOR UPDATE)"
    " UPDATE bellwire.leases l SET wanted_by = $2::int8"
    " FROM locked WHERE l.partition = locked.partition"};

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
    "      backend_pid = pg_catalog.pg_backend_pid(), wanted_by = 0"
    "  FROM locked WHERE l.partition = locked.partition"
    "  AND (SELECT count(*) FROM locked) = cardinality($1::int2[])"
    "  RETURNING l.partition, l.commit_no, l.log_partition, l.log_from)"
    " SELECT partition::int8, commit_no, log_partition::int8, log_from FROM taken"
    " ORDER BY partition"};

constexpr PgStatement kMoveLog = {
    "move_log",
    "WITH locked AS MATERIALIZED ("
    "  SELECT l.partition FROM bellwire.leases l"
    "  WHERE l.partition = ANY ($2::int2[]) AND l.owner = $1::int8"
    "  ORDER BY l.partition FOR UPDATE)"
    " UPDATE bellwire.leases l SET log_partition = $3::int2, log_from = $4::int8"
    " FROM locked WHERE l.partition = locked.partition"};

constexpr PgStatement kGiveAway = {
    "give_leases_away",
    "WITH locked AS MATERIALIZED ("
    "  SELECT l.partition FROM bellwire.leases l"
    "  WHERE l.partition = ANY ($2::int2[]) AND l.owner = $1::int8"
    "  ORDER BY l.partition FOR UPDATE)"
    " UPDATE bellwire.leases l SET owner = $3::int8, address = $4::text, epoch = l.epoch + 1,"
    "  wanted_by = 0, log_partition = -1, log_from = 0"
    " FROM locked WHERE l.partition = locked.partition"};

constexpr PgStatement kRelease = {
    "release_leases",
    "WITH locked AS MATERIALIZED ("
    "  SELECT l.partition FROM bellwire.leases l WHERE l.owner = $1::int8"
    "  ORDER BY l.partition FOR UPDATE)"
    " UPDATE bellwire.leases l SET owner = 0, address = '', epoch = l.epoch + 1, wanted_by = 0"
    " FROM locked WHERE l.partition = locked.partition"};
constexpr PgStatement kForgetHeartbeat = {
    "forget_heartbeat", "DELETE FROM bellwire.heartbeats WHERE owner = $1::int8"};
constexpr PgStatement kForgetOthers = {
    "forget_heartbeats",
    "DELETE FROM bellwire.heartbeats h WHERE h.owner = ANY ($1::int8[]) AND NOT EXISTS"
    " (SELECT FROM bellwire.leases l WHERE l.owner = h.owner)"};

PgValue Partitions(const std::vector<int16_t>& partitions) {
  PgArray array(PgArray::Of::kInt2);
  for (const int16_t partition : partitions) array.Add(PgInt2(partition));
  return array.value();
}

PgValue Owners(const std::vector<int64_t>& owners) {
  PgArray array(PgArray::Of::kInt8);
  for (const int64_t owner : owners) array.Add(PgInt8(owner));
  return array.value();
}

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

absl::StatusOr<std::vector<Lease>> ReadLeases(PgConnection* connection) {
  BELLWIRE_ASSIGN_OR_RETURN(
      const PgRows rows, connection->Ask(kReadLeases, {}, kLeaseTimeout, "reading the leases"));
  std::vector<Lease> leases;
  for (int row = 0; row < rows.count(); ++row) {
    leases.push_back({.partition = static_cast<int16_t>(rows.Int8(row, 0)),
                      .owner = rows.Int8(row, 1),
                      .address = std::string(rows.Bytes(row, 2)),
                      .epoch = rows.Int8(row, 3),
                      .wanted_by = rows.Int8(row, 4)});
  }
  return leases;
}

absl::StatusOr<std::vector<Member>> ReadMembers(PgConnection* connection) {
  BELLWIRE_ASSIGN_OR_RETURN(
      const PgRows rows, connection->Ask(kReadMembers, {}, kLeaseTimeout, "reading heartbeats"));
  std::vector<Member> members;
  for (int row = 0; row < rows.count(); ++row) {
    members.push_back({.id = rows.Int8(row, 0),
                       .address = std::string(rows.Bytes(row, 1)),
                       .counter = rows.Int8(row, 2),
                       .draining = rows.Int8(row, 3) != 0});
  }
  return members;
}

absl::Status BeatHeart(PgConnection* connection, int64_t owner, const std::string& address,
                       bool leaves) {
  return connection
      ->Ask(kBeatHeart, {PgInt8(owner), PgBytes(address), PgInt4(leaves ? 1 : 0)}, kLeaseTimeout,
            "a heartbeat")
      .status();
}

absl::StatusOr<bool> SetDraining(PgConnection* connection, const std::string& address,
                                 bool draining) {
  BELLWIRE_ASSIGN_OR_RETURN(
      const PgRows rows,
      connection->Ask(kSetDraining, {PgBytes(address), PgInt4(draining ? 1 : 0)}, kLeaseTimeout,
                      "draining a registry"));
  return rows.count() > 0;
}

absl::Status AskFor(PgConnection* connection, const std::vector<int16_t>& partitions, int64_t taker,
                    const std::vector<int64_t>& alive) {
  return connection
      ->Ask(kAskFor, {Partitions(partitions), PgInt8(taker), Owners(alive)}, kLeaseTimeout,
            "asking for partitions")
      .status();
}

std::string NameOfConnection(int64_t owner) {
  return absl::StrFormat("bellwire-registry %016x", static_cast<uint64_t>(owner));
}

absl::StatusOr<std::optional<std::vector<TakenPartition>>> Take(PgConnection* connection,
                                                                const Taking& taking) {
  PgArray names(PgArray::Of::kText);
  for (const int64_t owner : taking.from) {
    if (owner != kNoOwner) names.AddBytes(NameOfConnection(owner));
  }
  names.AddBytes(NameOfConnection(taking.owner));
  const PgQuery queries[] = {
      {&kEndConnections, {names.value()}},
      {&kTake,
       {Partitions(taking.partitions), Owners(taking.from), PgInt8(taking.owner),
        PgBytes(taking.address), PgInt8(taking.epoch)}},
      {&kReadStandbyNames, {}},
  };
  const PgAnswer answer = connection->Run(queries, taking.timeout, "taking the partitions");
  BELLWIRE_RETURN_IF_ERROR(answer.status);
  // If it has one copy only, a failover may forget that the old owner was fenced.
  BELLWIRE_RETURN_IF_ERROR(
      CheckStandbyNames(taking.durability, answer.rows.back().Bytes(0, 0)));
  const PgRows& rows = answer.rows[1];
  using Taken = std::vector<TakenPartition>;
  if (rows.count() == 0) return std::optional<Taken>();
  if (rows.count() != static_cast<int>(taking.partitions.size())) {
    return StoreCorruptError("the table of leases lacks partitions");
  }
  Taken taken;
  for (int row = 0; row < rows.count(); ++row) {
    taken.push_back({.partition = static_cast<int16_t>(rows.Int8(row, 0)),
                     .commit_no = rows.Int8(row, 1),
                     .log = {.log = static_cast<int16_t>(rows.Int8(row, 2)),
                             .from = rows.Int8(row, 3)}});
  }
  return std::optional<Taken>(std::move(taken));
}

absl::Status MoveLog(PgConnection* connection, int64_t owner,
                     const std::vector<int16_t>& partitions, const LogOfPartition& log) {
  return connection
      ->Ask(kMoveLog,
            {PgInt8(owner), Partitions(partitions), PgInt2(log.log), PgInt8(log.from)},
            kLeaseTimeout, "noting a commit log")
      .status();
}

absl::Status GiveAway(PgConnection* connection, int64_t owner,
                      const std::vector<int16_t>& partitions, int64_t to,
                      const std::string& address) {
  return connection
      ->Ask(kGiveAway, {PgInt8(owner), Partitions(partitions), PgInt8(to), PgBytes(address)},
            kLeaseTimeout, "giving partitions away")
      .status();
}

absl::Status Release(PgConnection* connection, int64_t owner) {
  BELLWIRE_RETURN_IF_ERROR(
      connection->Ask(kRelease, {PgInt8(owner)}, kLeaseTimeout, "giving the partitions back")
          .status());
  return connection
      ->Ask(kForgetHeartbeat, {PgInt8(owner)}, kLeaseTimeout, "forgetting a heartbeat")
      .status();
}

absl::Status ForgetHeartbeats(PgConnection* connection, const std::vector<int64_t>& owners) {
  return connection->Ask(kForgetOthers, {Owners(owners)}, kLeaseTimeout, "forgetting heartbeats")
      .status();
}

}  // namespace bellwire::registry
