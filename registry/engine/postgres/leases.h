#ifndef BELLWIRE_REGISTRY_ENGINE_POSTGRES_LEASES_H_
#define BELLWIRE_REGISTRY_ENGINE_POSTGRES_LEASES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "registry/engine/postgres/durability.h"
#include "registry/engine/postgres/pg_connection.h"

// Who owns the partitions. Safety comes from the epoch: a commit names the one under which its
// owner took the partition, and writes nothing if the row has another.
namespace bellwire::registry {

// Owner of a partition that nobody owns.
inline constexpr int64_t kNoOwner = 0;
// A taker raises the epoch after the answer to these. Both bounds leave room for slow servers.
inline constexpr absl::Duration kLeaseTimeout = absl::Seconds(5);

// What one owner has.
struct LeaseOwner {
  int64_t id = kNoOwner;
  // What it says of itself, for operators.
  std::string address;
  // Of all of its partitions, the latest one.
  int64_t epoch = 0;
  // Of those that are spread: of devices, and of what belongs to none.
  int64_t partitions = 0;
  // Of its heartbeat; -1: it has none.
  int64_t counter = -1;
};
// Every owner, that of free partitions included.
absl::StatusOr<std::vector<LeaseOwner>> ReadOwners(PgConnection* connection);

// The row of one partition.
struct Lease {
  int16_t partition = 0;
  int64_t owner = kNoOwner;
  std::string address;
  int64_t epoch = 0;
  // Who would like to own it; kNoOwner: nobody.
  int64_t wanted_by = kNoOwner;
};
// All of them, in their order.
absl::StatusOr<std::vector<Lease>> ReadLeases(PgConnection* connection);

// A registry that says that it lives, whether or not it owns anything.
struct Member {
  int64_t id = kNoOwner;
  std::string address;
  int64_t counter = 0;
  // Wants no partitions, and gives away those that it has.
  bool draining = false;
};
absl::StatusOr<std::vector<Member>> ReadMembers(PgConnection* connection);

// A heartbeat: it is on the primary only, and no promise rests on it. Makes it where it is missing.
absl::Status BeatHeart(PgConnection* connection, int64_t owner, const std::string& address,
                       bool leaves);
// Another one is to give its partitions away, or may have some again. False: there is none of this
// address.
absl::StatusOr<bool> SetDraining(PgConnection* connection, const std::string& address,
                                 bool draining);
// Asks their owners to give these to `taker`. Only those that nobody of `alive` has asked for.
absl::Status AskFor(PgConnection* connection, const std::vector<int16_t>& partitions, int64_t taker,
                    const std::vector<int64_t>& alive);

// Name of the connections that an owner commits on.
std::string NameOfConnection(int64_t owner);

// Where the latest writes to a partition are, that the table of records has not heard of.
struct LogOfPartition {
  // The partition in which the log is; kNoLog: the table has heard of everything.
  int16_t log = -1;
  // Earlier entries say nothing about this partition.
  int64_t from = 0;
};
inline constexpr int16_t kNoLog = -1;

struct Taking {
  // All of them, or none.
  std::vector<int16_t> partitions;
  // Who may have them now. The taker itself is one of them when it raises its own epoch.
  std::vector<int64_t> from;
  int64_t owner = kNoOwner;
  std::string address;
  // REQUIRES: greater than that of each partition, as ReadLeases has told.
  int64_t epoch = 0;
  DatabaseDurability durability = DatabaseDurability::kStandby;
  absl::Duration timeout = kLeaseTimeout;
};
// What a partition was when it was taken.
struct TakenPartition {
  int16_t partition = 0;
  // The number of its last commit.
  int64_t commit_no = 0;
  LogOfPartition log;
};
// Ends the connections that the old owners, and the taker itself, have committed on, and raises the
// epoch. It waits for a commit that is under way there, and for a standby to have all of this. So
// whatever is read afterwards is durable, and no commit of an earlier epoch comes after it.
// In the order of Taking::partitions, if these are in theirs.
//   nullopt: others were quicker. Nothing has changed.
//   UNAVAILABLE REGISTRY_UNAVAILABLE: nothing has changed, or the epoch is raised: look again.
absl::StatusOr<std::optional<std::vector<TakenPartition>>> Take(PgConnection* connection,
                                                                const Taking& taking);

// Says that the latest writes to `partitions`, which `owner` has, are in `log` from the entry
// `from` on.
absl::Status MoveLog(PgConnection* connection, int64_t owner,
                     const std::vector<int16_t>& partitions, const LogOfPartition& log);

// Gives these, which `owner` has, to another one, or to nobody. REQUIRES: the table of records has
// heard of everything that was written to them.
absl::Status GiveAway(PgConnection* connection, int64_t owner,
                      const std::vector<int16_t>& partitions, int64_t to,
                      const std::string& address);
// Gives back what the owner has, and forgets its heartbeat. What its log says is still to be read.
absl::Status Release(PgConnection* connection, int64_t owner);
// Forgets the heartbeats of `owners` that own nothing.
absl::Status ForgetHeartbeats(PgConnection* connection, const std::vector<int64_t>& owners);

// Appended to each commit, since it takes effect at any time: empty names release commits that
// wait.
extern const PgStatement kReadStandbyNames;

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_LEASES_H_
