#include "registry/engine/rocksdb/rocksdb_status.h"

#include "absl/strings/str_cat.h"
#include "registry/engine/store_error.h"
#include "rocksdb/status.h"

namespace bellwire::registry {

absl::Status FromRocksDb(const rocksdb::Status& status, absl::string_view doing) {
  if (status.ok()) return absl::OkStatus();
  const std::string what = absl::StrCat(doing, ": ", status.ToString());
  return status.IsCorruption() ? StoreCorruptError(what) : StoreUnavailableError(what);
}

}  // namespace bellwire::registry
