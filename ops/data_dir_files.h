#ifndef BELLWIRE_OPS_DATA_DIR_FILES_H_
#define BELLWIRE_OPS_DATA_DIR_FILES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "crypto/certificates.h"
#include "rpc/credentials.h"
#include "rpc/roles.h"

// What making, repairing and renewing the files of a data directory have in common. Blocking;
// thread-safe.
namespace bellwire {

// How long the certificates are good for. The CA is the server's own and agents have no other way
// to learn a new one, so it must not end before the phone does; the leaves end with it, because an
// unattended server must not stop one day for lack of a renewal.
inline constexpr absl::Duration kCertificateLifetime = absl::Hours(24 * 3650);

// The common names of the two CAs.
inline constexpr absl::string_view kAuthorityName = "bellwire CA";
inline constexpr absl::string_view kInternalAuthorityName = kInternalAuthorityWithRoles;

// For kCertificateLifetime from `now`, and a day back: a phone whose clock is behind must not
// refuse a new server.
Validity ValidityFrom(absl::Time now);
// The same, but not beyond the end of this CA.
//   INVALID_ARGUMENT BAD_CERTIFICATE · FAILED_PRECONDITION CA_EXPIRED
absl::StatusOr<Validity> ValidityFrom(absl::Time now, absl::string_view ca_pem);

// For the ports of providers and devices. `names` are host names and IP addresses.
LeafRequest ServerRequest(const std::vector<std::string>& names, const Validity& validity);
// For the daemons among themselves. One that serves nobody gets a client's certificate.
LeafRequest NodeRequest(const Validity& validity, Roles roles = Roles::All());

// 0700; takes over one that is there, if it is empty or nobody else's.
//   INVALID_ARGUMENT: it is no directory, or others use it · UNAVAILABLE: the system refused
absl::Status MakeDirectory(const std::string& path);
// A new secret, a line of hex digits (0600). Takes the place of what is there.
absl::Status WriteSecret(const std::string& path);

}  // namespace bellwire

#endif  // BELLWIRE_OPS_DATA_DIR_FILES_H_
