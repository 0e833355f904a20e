#ifndef BELLWIRE_OPS_REPAIR_DATA_DIR_H_
#define BELLWIRE_OPS_REPAIR_DATA_DIR_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "crypto/certificates.h"
#include "ops/data_dir.h"

// What becomes of the files of a data directory later in its life: lost ones are made again,
// certificates are renewed. A file that is there and not empty is never thrown away, but for
// certificates that are renewed. Blocking; one at a time on a directory.
namespace bellwire {

struct RepairOptions {
  // For a server certificate that is lost with its names.
  std::vector<std::string> server_names;
  // Whether lost sealing keys may be replaced, which makes every token worthless.
  bool new_token_keys = false;
};

struct Repaired {
  // Within the directory, such as "server.pem".
  std::string file;
  // What was done, and what follows from it.
  std::string what;
};

// Makes again what is missing or empty: docs/operate/operations.md says what each loss means. The
// server's key, if there is one, keeps its pin.
//   FAILED_PRECONDITION NOT_INITIALISED: nothing of a data directory is there · TOKEN_KEYS_LOST:
//   nothing was done; see RepairOptions · CA_KEY_LOST: the certificate can't be issued · CA_EXPIRED
//   UNAVAILABLE: the disk refused. What was made so far stays; the next repair goes on from there.
absl::StatusOr<std::vector<Repaired>> RepairDataDir(const DataDir& data_dir,
                                                    const RepairOptions& options, absl::Time now);

// Issues the server's certificate again, with its names and `more_names`, for its present key, and
// that of the daemons among themselves. Good for kCertificateLifetime, or as long as their CAs.
// Answers what it says now. A running server takes it up when it gets SIGHUP.
//   FAILED_PRECONDITION NOT_OUR_CERTIFICATE: another CA issued it · CA_KEY_LOST · CA_EXPIRED ·
//   errors of crypto/file_util.h and crypto/certificates.h
absl::StatusOr<CertificateFacts> RenewCertificates(const DataDir& data_dir,
                                                   const std::vector<std::string>& more_names,
                                                   absl::Time now);

}  // namespace bellwire

#endif  // BELLWIRE_OPS_REPAIR_DATA_DIR_H_
