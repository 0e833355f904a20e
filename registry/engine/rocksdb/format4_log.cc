#include "registry/engine/rocksdb/format4_log.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "registry/engine/recent_writes.h"
#include "registry/engine/records.h"
#include "registry/engine/rocksdb/log_check.h"
#include "registry/engine/rocksdb/rocksdb_status.h"
#include "registry/engine/store_error.h"
#include "rocksdb/env.h"
#include "rocksdb/write_batch.h"

namespace bellwire::registry {
namespace {

using FamilyOf = absl::FunctionRef<std::optional<Family>(uint32_t column_family)>;

// Goes through what a batch did to keys of the families that RecentWrites keeps.
class Replay : public rocksdb::WriteBatch::Handler {
 public:
  Replay(FamilyOf family_of, WriteSet* writes) : family_of_(family_of), writes_(*writes) {}

  rocksdb::Status PutCF(uint32_t column_family, const rocksdb::Slice& key,
                        const rocksdb::Slice& value) override {
    return Handle(column_family, key, Change(value.ToString()));
  }
  rocksdb::Status DeleteCF(uint32_t column_family, const rocksdb::Slice& key) override {
    return Handle(column_family, key, Change(std::nullopt));
  }

 protected:
  WriteSet& writes() { return writes_; }
  FamilyOf family_of() { return family_of_; }
  virtual void OnChange(KvKey key, Change change) = 0;

 private:
  rocksdb::Status Handle(uint32_t column_family, const rocksdb::Slice& key, Change change) {
    const std::optional<Family> family = family_of_(column_family);
    // RocksDB's default column family is none of ours.
    if (family.has_value() && RecentWrites::Keeps(*family)) {
      OnChange({*family, key.ToString()}, std::move(change));
    }
    return rocksdb::Status::OK();
  }

  const FamilyOf family_of_;
  WriteSet& writes_;
};

// What RecentWrites were told.
class ReplayRecent final : public Replay {
 public:
  using Replay::Replay;

 protected:
  void OnChange(KvKey key, Change change) override {
    writes().insert_or_assign(std::move(key), std::move(change));
  }
};

// What RocksDB was told, with what lies in between for RecentWrites.
class ReplayLog final : public Replay {
 public:
  using Replay::Replay;

  void LogData(const rocksdb::Slice& blob) override {
    if (!status_.ok()) return;
    status_ = HandleBlob({blob.data(), blob.size()});
  }

  const absl::Status& status() const { return status_; }
  // All commits from `run_begin` to `last` were seen.
  uint64_t run_begin = 0;
  uint64_t last = 0;
  // The first that is needed.
  uint64_t oldest = 0;

 protected:
  void OnChange(KvKey key, Change) override { writes().erase(key); }

 private:
  absl::Status HandleBlob(absl::string_view blob) {
    BELLWIRE_ASSIGN_OR_RETURN(const storage::v1::LoggedWrites logged,
                              ParseRecord<storage::v1::LoggedWrites>(blob));
    if (logged.commit() != last + 1) {
      // What comes before a hole was settled, or the end of the log tells that it is missing. A log
      // whose deletion failed must not bring back what was changed since in logs that have gone.
      run_begin = logged.commit();
      writes().clear();
    }
    last = logged.commit();
    oldest = logged.oldest_commit();
    ReplayRecent recent(family_of(), &writes());
    return FromRocksDb(rocksdb::WriteBatch(logged.writes()).Iterate(&recent),
                       "reading the latest writes");
  }

  absl::Status status_;
};

absl::StatusOr<std::vector<std::string>> Logs(rocksdb::Env* env, const std::string& directory) {
  std::vector<std::string> logs;
  BELLWIRE_RETURN_IF_ERROR(
      FromRocksDb(env->GetChildren(directory, &logs), absl::StrCat("listing ", directory)));
  logs.erase(std::remove_if(logs.begin(), logs.end(),
                            [](const std::string& name) { return !absl::EndsWith(name, ".log"); }),
             logs.end());
  // Numbers of at least six digits.
  std::sort(logs.begin(), logs.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  return logs;
}

}  // namespace

absl::StatusOr<WriteSet> ReadFormat4Log(rocksdb::Env* env, const std::string& directory,
                                        FamilyOf family_of) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<std::string> logs, Logs(env, directory));
  WriteSet writes;
  ReplayLog replay(family_of, &writes);
  for (const std::string& name : logs) {
    const std::string path = absl::StrCat(directory, "/", name);
    BELLWIRE_RETURN_IF_ERROR(ReadLog(env, path, [&](absl::string_view record) -> absl::Status {
      BELLWIRE_RETURN_IF_ERROR(
          FromRocksDb(rocksdb::WriteBatch(std::string(record)).Iterate(&replay),
                      absl::StrCat("reading ", path)));
      return replay.status();
    }));
  }
  if (replay.run_begin > replay.oldest) {
    return StoreCorruptError(absl::StrCat(directory, " lacks a log (*.log): commit ", replay.last,
                                          " needs those from ", replay.oldest,
                                          " on, and there are those from ", replay.run_begin));
  }
  return writes;
}

void LogHold::Release() {
  std::vector<std::string> held;
  {
    absl::MutexLock lock(&mutex_);
    released_ = true;
    held.swap(held_);
  }
  for (const std::string& path : held) {
    const rocksdb::IOStatus status = target()->DeleteFile(path, rocksdb::IOOptions(), nullptr);
    // RocksDB deletes it at the next start.
    if (!status.ok()) LogWarning("log_not_deleted", {{"file", path}, {"error", status.ToString()}});
  }
}

rocksdb::IOStatus LogHold::DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                                      rocksdb::IODebugContext* debug) {
  {
    absl::MutexLock lock(&mutex_);
    if (!released_ && absl::EndsWith(path, ".log")) {
      held_.push_back(path);
      return rocksdb::IOStatus::OK();
    }
  }
  return target()->DeleteFile(path, options, debug);
}

}  // namespace bellwire::registry
