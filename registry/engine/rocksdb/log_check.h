#ifndef BELLWIRE_REGISTRY_ENGINE_ROCKSDB_LOG_CHECK_H_
#define BELLWIRE_REGISTRY_ENGINE_ROCKSDB_LOG_CHECK_H_

#include <cstddef>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace bellwire::registry {

// Finds damage in the files that RocksDB replays when it opens (its logs, and the MANIFEST, which
// has the same format), before RocksDB reads them. It has checksums, and refuses most damage by
// itself. But two kinds look to it like the end of the file, and it would silently drop that record
// and all that follow it:
//   * a length that reaches beyond the end of the file: a record that was being written when the
//     power went. So does a flipped bit in the length of a record that was synced long ago;
//   * a type that stands for "left over from an earlier use of this file": one flipped bit away
//     from an ordinary one. We don't reuse log files.
//
// A record that is cut off is told from a damaged one by its checksum: if that holds for some other
// length, all of the record is there.

// The format: blocks of this size, …
inline constexpr size_t kLogBlockBytes = 32 * 1024;
// … and in them records, none across two blocks: masked CRC-32C of what follows but the length (4
// bytes), length of the data (2), type (1), data. Less room than a header at the end of a block is
// zeros.
inline constexpr size_t kLogHeaderBytes = 7;

// Whether a block is as RocksDB wrote it. One that is shorter than kLogBlockBytes is the last of
// its file, and may end in the middle of a record, or in zeros.
bool LogBlockIsSound(absl::string_view block);

// Checks every log in the directory and the MANIFEST that CURRENT names. Reads each of them once.
//   DATA_LOSS STORE_CORRUPT: names the file and the place
//   UNAVAILABLE REGISTRY_UNAVAILABLE: a file can't be read
absl::Status CheckLogs(rocksdb::Env* env, const std::string& directory);

// The same, but goes on after damage: `on_damage` gets the error of each file that is damaged or
// can't be read. OK unless the directory can't be.
absl::Status CheckEachLog(rocksdb::Env* env, const std::string& directory,
                          absl::FunctionRef<void(const absl::Status&)> on_damage);

// Gives every whole record of the log at `path` to `visit`, in order. What is cut off at its end is
// left out, as RocksDB does. REQUIRES: CheckLogs has passed. Errors: those, and the first of
// `visit`.
absl::Status ReadLog(rocksdb::Env* env, const std::string& path,
                     absl::FunctionRef<absl::Status(absl::string_view record)> visit);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_ROCKSDB_LOG_CHECK_H_
