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
  int64_t partitions = 0;
  // Of its heartbeat; -1: it has none.
  int64_t counter = -1;
};
// Every owner, that of free partitions included.
absl::StatusOr<std::vector<LeaseOwner>> ReadOwners(PgConnection* connection);

// A heartbeat: it is on the primary only, and no promise rests on it. Makes it where it is missing.
absl::Status BeatHeart(PgConnection* connection, int64_t owner);

// Name of the connections that an owner commits on.
std::string NameOfConnection(int64_t owner);

struct Taking {
  // All of them, or none.
  std::vector<int16_t> partitions;
  // Who may have them now. The taker itself is one of them when it raises its own epoch.
  std::vector<int64_t> from;
  int64_t owner = kNoOwner;
  std::string address;
  // REQUIRES: greater than that of each partition, as ReadOwners has told.
  int64_t epoch = 0;
  DatabaseDurability durability = DatabaseDurability::kStandby;
};
struct Taken {
  // The number of the last commit of each partition, in the order of Taking::partitions.
  std::vector<int64_t> commit_no;
};
// Ends the connections that the old owners, and the taker itself, have committed on, and raises the
// epoch. It waits for a commit that is under way there, and for a standby to have all of this. So
// whatever is read afterwards is durable, and no commit of an earlier epoch comes after it.
//   nullopt: others were quicker. Nothing has changed.
//   UNAVAILABLE REGISTRY_UNAVAILABLE: nothing has changed, or the epoch is raised: look again.
absl::StatusOr<std::optional<Taken>> Take(PgConnection* connection, const Taking& taking);

// Gives back what the owner has, and forgets its heartbeat.
absl::Status Release(PgConnection* connection, int64_t owner);
// Forgets the heartbeats of all others that own nothing. One that is about to take something makes
// its own anew.
absl::Status ForgetOtherHeartbeats(PgConnection* connection, int64_t owner);

// Appended to each commit, since it takes effect at any time: empty names release commits that
// wait.
extern const PgStatement kReadStandbyNames;

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_POSTGRES_LEASES_H_
