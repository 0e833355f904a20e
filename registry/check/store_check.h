#ifndef BELLWIRE_REGISTRY_CHECK_STORE_CHECK_H_
#define BELLWIRE_REGISTRY_CHECK_STORE_CHECK_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "registry/check/check.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace bellwire::registry {

struct StoreCheckOptions {
  // The store itself: DATA_DIR/registry.
  std::string directory;
  // The keys of its payloads (registry/sealing/). Empty: it is not sealed.
  std::string payload_key_file;
  // Where faults are injected. Not owned; outlives the check. Null: the machine's files.
  rocksdb::Env* env = nullptr;
};

struct StoreCheckReport {
  CheckReport records;
  // Whether the records could be looked at at all: a store may be so damaged that it doesn't open.
  bool opened = false;
  uint64_t table_files = 0;
  uint64_t table_bytes = 0;
};

// Verifies a store that no process uses, and changes nothing in it: every record of the logs and
// the MANIFEST, every byte of every table, and, if it opens, what its records say
// (registry/check/check.h). Damage is no error but a problem of the report, which goes on with what
// can be read.
//
// `progress` is called now and then: what is being looked at, and how much of it is done (tables:
// bytes).
//
// Errors: it could not be checked.
//   FAILED_PRECONDITION PAYLOAD_KEY_MISSING, BAD_PAYLOAD_KEY_FILE, and those of ReadPrivateFile:
// its
//   payloads can't be opened
//   FAILED_PRECONDITION STORE_LOCKED: another process uses it · FAILED_PRECONDITION STORE_FORMAT:
//   it is no store, or another version's · UNAVAILABLE REGISTRY_UNAVAILABLE: the directory can't be
//   read
absl::StatusOr<StoreCheckReport> CheckStore(
    const StoreCheckOptions& options,
    absl::FunctionRef<void(absl::string_view what, uint64_t done)> progress);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_CHECK_STORE_CHECK_H_
