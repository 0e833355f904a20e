#ifndef BELLWIRE_OPS_FLEET_H_
#define BELLWIRE_OPS_FLEET_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "crypto/certificates.h"
#include "ops/data_dir.h"
#include "rpc/roles.h"

// The data directories of a fleet: one for each daemon, with no more in it than that daemon needs,
// and one that stays where they were made:
//
//   DIR/authority     ca.pem ca.key internal/ca.pem internal/ca.key, and the secrets that daemons
//                     share
//   DIR/registry      internal/, token.keys
//   DIR/gateway-1     server.pem server.key ca.pem internal/, token.keys, and admin.token: of the
//                     first only
//   DIR/connector-1   server.pem server.key internal/, ticket.keys
//
// internal/ has ca.pem, node.pem and node.key; node.pem names the daemon's role. Blocking; one at a
// time on a directory.
namespace bellwire {

inline constexpr int kMaxFleetDaemons = 1000;

struct FleetOptions {
  // Host names and addresses that providers and agents connect to.
  std::vector<std::string> server_names;
  int gateways = 1;
  int connectors = 1;
  // A data directory whose CA, keys and secrets the fleet takes over, so that tokens and pins stay
  // good. Empty: all are new. For a fleet that is made for the first time only.
  std::string from;
};

struct FleetDaemon {
  // Within the fleet's directory, such as "gateway-1".
  std::string name;
  Role role;
  bool made = false;
};

// Whether a fleet was made in this directory.
bool IsFleet(const std::string& path);
// The directories of its daemons and its authority, in order.
//   UNAVAILABLE: the directory can't be read
absl::StatusOr<std::vector<std::string>> FleetDirectories(const std::string& path);

// Makes the directories that are missing; those that are there stay as they are. So a fleet grows
// by the same call with a greater number.
//   INVALID_ARGUMENT: no or malformed names, a number out of range, `from` for a fleet that is
//   there FAILED_PRECONDITION NOT_INITIALISED: `from` is no data directory · CA_KEY_LOST: it has no
//   ca.key ALREADY_EXISTS ALREADY_INITIALISED: the directory is a data directory
//   UNAVAILABLE: the disk refused; what had been made is left, and the next call goes on from there
absl::StatusOr<std::vector<FleetDaemon>> InitFleet(const std::string& path,
                                                   const FleetOptions& options, absl::Time now);

struct RenewedCertificate {
  std::string file;
  CertificateFacts facts;
};
// Issues the certificates of all daemons again, for the same keys, names and roles, and for
// `more_names` those that clients see. Each is to be copied to its daemon.
//   FAILED_PRECONDITION CA_EXPIRED, CA_KEY_LOST · UNAVAILABLE
absl::StatusOr<std::vector<RenewedCertificate>> RenewFleet(
    const std::string& path, const std::vector<std::string>& more_names, absl::Time now);

}  // namespace bellwire

#endif  // BELLWIRE_OPS_FLEET_H_
