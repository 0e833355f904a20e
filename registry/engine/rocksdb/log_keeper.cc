#include "registry/engine/rocksdb/log_keeper.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/log.h"

namespace bellwire::registry {
namespace {

// nullopt: it is no log.
std::optional<uint64_t> LogNumber(absl::string_view path) {
  absl::string_view name = path.substr(path.rfind('/') + 1);
  uint64_t number;
  if (!absl::ConsumeSuffix(&name, ".log") || !absl::SimpleAtoi(name, &number)) return std::nullopt;
  return number;
}

}  // namespace

uint64_t LogKeeper::latest() const {
  absl::MutexLock lock(&mutex_);
  return latest_;
}

void LogKeeper::KeepFrom(uint64_t number) {
  absl::MutexLock lock(&mutex_);
  keep_from_ = std::max(keep_from_, number);
}

void LogKeeper::DeleteReleased() {
  std::map<uint64_t, std::string> released;
  {
    absl::MutexLock lock(&mutex_);
    while (!put_off_.empty() && put_off_.begin()->first < keep_from_) {
      released.insert(put_off_.extract(put_off_.begin()));
    }
  }
  for (const auto& [unused, path] : released) {
    const rocksdb::IOStatus status = target()->DeleteFile(path, rocksdb::IOOptions(), nullptr);
    if (!status.ok() && !status.IsNotFound() && !status.IsPathNotFound()) {
      // The next start does it.
      LogWarning("log_not_deleted", {{"file", path}, {"error", status.ToString()}});
    }
  }
}

rocksdb::IOStatus LogKeeper::NewWritableFile(const std::string& path,
                                             const rocksdb::FileOptions& options,
                                             std::unique_ptr<rocksdb::FSWritableFile>* result,
                                             rocksdb::IODebugContext* debug) {
  const rocksdb::IOStatus status = target()->NewWritableFile(path, options, result, debug);
  if (const auto number = LogNumber(path); status.ok() && number.has_value()) {
    absl::MutexLock lock(&mutex_);
    if (*number > latest_) latest_ = *number;
  }
  return status;
}

rocksdb::IOStatus LogKeeper::DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                                        rocksdb::IODebugContext* debug) {
  DeleteReleased();
  if (const auto number = LogNumber(path); number.has_value()) {
    absl::MutexLock lock(&mutex_);
    if (*number >= keep_from_) {
      put_off_[*number] = path;
      return rocksdb::IOStatus::OK();
    }
  }
  return target()->DeleteFile(path, options, debug);
}

}  // namespace bellwire::registry
