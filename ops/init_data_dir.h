#ifndef BELLWIRE_OPS_INIT_DATA_DIR_H_
#define BELLWIRE_OPS_INIT_DATA_DIR_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "ops/data_dir.h"
#include "ops/data_dir_files.h"

namespace bellwire {

// Makes the data directory of a new server (0700): a CA, certificates for `server_names` (host
// names and IP addresses that providers and agents connect to) and for the daemons among
// themselves, the sealing key of tokens, and the admin token. Never overwrites anything.
//   ALREADY_EXISTS ALREADY_INITIALISED: one of the files is there already
//   INVALID_ARGUMENT: `server_names` is empty or malformed
//   UNAVAILABLE: the disk refused; what had been made is left for inspection
absl::Status InitDataDir(const DataDir& data_dir, const std::vector<std::string>& server_names,
                         absl::Time now);

}  // namespace bellwire

#endif  // BELLWIRE_OPS_INIT_DATA_DIR_H_
