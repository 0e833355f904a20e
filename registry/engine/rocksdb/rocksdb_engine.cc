#include "registry/engine/rocksdb/rocksdb_engine.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <filesystem>
#include <limits>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "registry/engine/logged_commit.h"
#include "registry/engine/recent_writes.h"
#include "registry/engine/records.h"
#include "registry/engine/rocksdb/format4_log.h"
#include "registry/engine/rocksdb/gradual_deletion.h"
#include "registry/engine/rocksdb/log_check.h"
#include "registry/engine/rocksdb/rocksdb_commit_log.h"
#include "registry/engine/rocksdb/rocksdb_log.h"
#include "registry/engine/rocksdb/rocksdb_options.h"
#include "registry/engine/rocksdb/rocksdb_status.h"
#include "registry/engine/store_error.h"
#include "registry/keys/keys.h"
#include "rocksdb/cache.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "rocksdb/file_checksum.h"
#include "rocksdb/perf_level.h"
#include "rocksdb/utilities/checkpoint.h"
#include "rocksdb/write_batch.h"

namespace bellwire::registry {
namespace {

constexpr uint32_t kFormatVersion = 6;
// The first one that keeps recent writes in a column family.
constexpr uint32_t kCommitsVersion = 5;
// Upgraded at the first start. Before kCommitsVersion the latest writes lie in the log files
// (format4_log.h). Format 3 has none there.
constexpr uint32_t kOldestUpgradable = 3;
// Of RecentWrites, what goes to the tables with one commit: 2 ms of the processor. Devices that
// were written together leave together; all at once, 200 devices with 100 apps each held the writer
// up for 50 ms. A commit that brings more takes twice that with it: so they keep up, because what
// leaves has come.
constexpr uint64_t kMinLeavingBytes = 128 * 1024;
// In RocksDB's default column family, which holds nothing else.
constexpr absl::string_view kFormatKey = "format";
// Beside the database: a Format with `numbers_after`.
constexpr absl::string_view kStartFile = "bellwire.start";

// In the order of Family.
constexpr std::array<absl::string_view, 8> kFamilyNames = {"devices",  "lives",  "teams", "names",
                                                           "timeline", "outbox", "feeds", "topics"};
// The latest of them. Stores before format 6 have none.
constexpr absl::string_view kTopicsName = "topics";
static_assert(kFamilyNames.back() == kTopicsName);
// The CommitLog. Stores before format 5 have none.
constexpr absl::string_view kCommitsName = "commits";

rocksdb::Slice ToSlice(absl::string_view s) { return {s.data(), s.size()}; }
absl::string_view ToView(const rocksdb::Slice& s) { return {s.data(), s.size()}; }

absl::Status FormatError(absl::string_view directory, absl::string_view what) {
  return MakeError(absl::StatusCode::kFailedPrecondition, "STORE_FORMAT",
                   absl::StrCat("the registry's store ", directory, " ", what));
}

absl::Status MakeDirectory(const std::string& directory) {
  if (mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  return StoreUnavailableError(absl::StrCat(directory, " can't be made: ", strerror(errno)));
}

// Which of the files that no store is without are there.
struct FilesPresent {
  bool current = false;
  bool log = false;
  bool table = false;
};

absl::StatusOr<FilesPresent> LookForFiles(rocksdb::Env* env, const std::string& directory) {
  std::vector<std::string> children;
  BELLWIRE_RETURN_IF_ERROR(
      FromRocksDb(env->GetChildren(directory, &children), absl::StrCat("listing ", directory)));
  FilesPresent present;
  for (const std::string& child : children) {
    present.current |= child == "CURRENT";
    present.log |= absl::EndsWith(child, ".log");
    present.table |= absl::EndsWith(child, ".sst");
  }
  return present;
}

rocksdb::Env* EnvOf(const RocksDbEngine::Options& options) {
  return options.env != nullptr ? options.env : rocksdb::Env::Default();
}

// What the file of the last start says; nothing where it is damaged, or there is none.
absl::StatusOr<storage::v1::Format> ReadStart(const RocksDbEngine::Options& options) {
  const std::string path = absl::StrCat(options.directory, "/", kStartFile);
  storage::v1::Format format;
  if (EnvOf(options)->FileExists(path).IsNotFound()) return format;
  std::string bytes;
  BELLWIRE_RETURN_IF_ERROR(FromRocksDb(rocksdb::ReadFileToString(EnvOf(options), path, &bytes),
                                       absl::StrCat("reading ", path)));
  if (!format.ParseFromString(bytes)) {
    // The clock alone is nearly always enough.
    LogWarning("start_number_damaged", {{"file", path}});
    format.Clear();
  }
  return format;
}

// Answers NumbersOfStart of this start, once it is on the disk: in a file of its own, because a
// record of the database that is written at each start, and hardly anything beside it in its
// family, would keep old logs.
absl::StatusOr<uint64_t> NumberStart(const RocksDbEngine::Options& options) {
  rocksdb::Env* env = EnvOf(options);
  const std::string path = absl::StrCat(options.directory, "/", kStartFile);
  BELLWIRE_ASSIGN_OR_RETURN(storage::v1::Format format, ReadStart(options));
  format.set_version(kFormatVersion);
  format.set_numbers_after(
      NumbersOfStart(options.clock->WallNow(),
                     std::max<uint64_t>(format.numbers_after(), options.numbers_before)));
  const std::string next = absl::StrCat(path, ".new");
  const std::string what = absl::StrCat("writing ", path);
  BELLWIRE_RETURN_IF_ERROR(FromRocksDb(
      rocksdb::WriteStringToFile(env, format.SerializeAsString(), next, /*should_sync=*/true),
      what));
  BELLWIRE_RETURN_IF_ERROR(FromRocksDb(env->RenameFile(next, path), what));
  std::unique_ptr<rocksdb::Directory> directory;
  BELLWIRE_RETURN_IF_ERROR(FromRocksDb(env->NewDirectory(options.directory, &directory), what));
  BELLWIRE_RETURN_IF_ERROR(FromRocksDb(directory->Fsync(), what));
  return format.numbers_after();
}

// An attempt to open without room leaves new files behind, and fails all the same.
absl::Status CheckRoom(rocksdb::Env* env, const std::string& directory) {
  uint64_t free_bytes = 0;
  if (!env->GetFreeSpace(directory, &free_bytes).ok() || free_bytes >= kMinStoreRoomBytes) {
    return absl::OkStatus();
  }
  return StoreUnavailableError(
      absl::StrCat("the disk is full: ", free_bytes / 1024, " KiB are free for the store ",
                   directory, ", which needs ", kMinStoreRoomBytes / 1024, " KiB to be opened"));
}

}  // namespace

// An open RocksDB, the handles of its column families, and what its tables haven't heard of.
class RocksDbEngine::Database final : public KvReader {
 public:
  static absl::StatusOr<std::unique_ptr<Database>> Open(const Options& options);

  ~Database() override {
    for (rocksdb::ColumnFamilyHandle* handle : handles_) {
      if (handle == nullptr) continue;
      Check(db_->DestroyColumnFamilyHandle(handle), "closing a column family");
    }
    if (db_ != nullptr) Check(db_->Close(), "closing");
  }

  rocksdb::DB* db() { return db_.get(); }
  const RecentWrites& recent() const { return recent_; }
  // Memtables are counted as part of the cache.
  uint64_t MemoryBytes() const { return cache_->GetUsage(); }

  // What is in the tables.
  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 absl::string_view key) const override;
  absl::Status Scan(
      Family family, absl::string_view from, absl::string_view to,
      absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const override;

  // As RocksDbEngine::Checkpoint; CopyTo may leave a part.
  absl::Status Checkpoint(const std::string& directory) const;
  absl::Status CopyTo(const std::string& directory) const;

  // As KvEngine::Commit; after an error the database is good for nothing but to be closed.
  absl::Status Commit(const WriteSet& writes);

  // What is recent now leaves for the tables with the next commits, as fast as may be. Whether some
  // of what was recent at the first call is there still.
  bool LeaveRecent();
  void EndLeaving() { leave_before_bytes_.reset(); }
  // Writes all tables anew, without what was written over or deleted, and gives up the logs. Beside
  // everything but the destructor; ends early once `cancelled`.
  absl::Status RewriteTables(std::atomic<bool>* cancelled);

 private:
  Database(const Options& options, const std::shared_ptr<rocksdb::Cache>& cache,
           const std::shared_ptr<LogHold>& hold)
      : directory_(options.directory),
        max_recent_bytes_(options.max_recent_writes_bytes),
        cache_(cache),
        hold_(hold),
        env_(rocksdb::NewCompositeEnv(hold)) {}

  // Puts one change into the batch.
  void Stage(Family family, absl::string_view key, const std::optional<std::string>& value);
  // What the commit says about RecentWrites: its entry in the log, and what leaves for the tables,
  // of which there are at most so many bytes and a device's.
  void StageRecent(const WriteSet& writes, const LogPlace& place, uint64_t leaving_bytes);
  // What lies in the log files of a store before format 5.
  absl::StatusOr<WriteSet> ReadOldLog() const;
  // Puts what was recent when the store was closed, or died, where it belongs.
  absl::Status Recover(bool read_only);
  // Writes the batch and syncs.
  absl::Status WriteBatch();

  // What fails while closing was durable before, or never promised to be.
  static void Check(const rocksdb::Status& status, absl::string_view doing) {
    const absl::Status converted = FromRocksDb(status, doing);
    if (!converted.ok()) LogWarning("store_close_failed", {{"error", converted.message()}});
  }

  // Of the column families in front of an open, which makes those that are missing.
  struct Missing {
    // One that every store has.
    bool record_family = false;
    bool topics = false;
    bool commits = false;
  };
  absl::Status CheckFormat(const Options& options, const Missing& missing);
  absl::Status CheckEmpty(const Options& options);
  // With the version of this program, and `writes`, in one commit.
  absl::Status PutFormat(storage::v1::Format format, const WriteSet& writes);

  rocksdb::ColumnFamilyHandle* handle(Family family) const {
    return handles_[static_cast<size_t>(family) + 1];
  }

  const std::string directory_;
  const uint64_t max_recent_bytes_;
  const std::shared_ptr<rocksdb::Cache> cache_;
  const std::shared_ptr<LogHold> hold_;
  const std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<rocksdb::DB> db_;
  // That of the default column family, those of kFamilyNames, and that of the commit log. Where an
  // older store is read, the topics' is null and the last one may be missing.
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  uint32_t format_version_ = kFormatVersion;
  // To build a commit in: as large as the largest needed.
  rocksdb::WriteBatch batch_{/*reserved_bytes=*/0, /*max_bytes=*/0,
                             StoreWriteOptions().protection_bytes_per_key,
                             /*default_cf_ts_sz=*/0};
  std::unique_ptr<RocksDbCommitLog> log_;
  LoggedCommit entry_;
  RecentWrites recent_{this};
  // Number of the last entry of the log, and how much was logged since the start.
  uint64_t last_commit_ = 0;
  uint64_t logged_bytes_ = 0;
  // What was logged before this leaves RecentWrites, however little was logged since.
  std::optional<uint64_t> leave_before_bytes_;
};

// RewriteTables on a thread of its own.
class RocksDbEngine::Rewrite {
 public:
  explicit Rewrite(std::shared_ptr<Database> database)
      : thread_([this, database = std::move(database)] {
          status_ = database->RewriteTables(&cancelled_);
          done_.store(true, std::memory_order_release);
        }) {}
  ~Rewrite() {
    cancelled_ = true;
    thread_.join();
  }

  bool done() const { return done_.load(std::memory_order_acquire); }
  // REQUIRES: done().
  const absl::Status& status() const { return status_; }

 private:
  std::atomic<bool> cancelled_ = false;
  std::atomic<bool> done_ = false;
  absl::Status status_;
  // Last: it uses the rest.
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<RocksDbEngine::Database>> RocksDbEngine::Database::Open(
    const Options& options) {
  rocksdb::Env* env = options.env != nullptr ? options.env : rocksdb::Env::Default();
  const std::string& directory = options.directory;
  if (!options.read_only) BELLWIRE_RETURN_IF_ERROR(CheckRoom(env, directory));
  BELLWIRE_ASSIGN_OR_RETURN(const FilesPresent files, LookForFiles(env, directory));
  if (!files.current && (files.log || files.table)) {
    // To RocksDB that looks like an empty directory: it would start over on top of the data.
    return StoreCorruptError(absl::StrCat(directory, " holds data but no file CURRENT"));
  }
  BELLWIRE_RETURN_IF_ERROR(CheckLogs(env, directory));

  const std::shared_ptr<rocksdb::Cache> cache = NewStoreCache();
  std::unique_ptr<Database> database(new Database(
      options, cache,
      std::make_shared<LogHold>(std::make_shared<GradualDeletion>(env->GetFileSystem()))));
  rocksdb::DBOptions db_options = StoreDbOptions(database->env_.get(), cache);
  if (options.read_only) {
    if (!files.current) return FormatError(directory, "is none: there is no file CURRENT");
    db_options.create_if_missing = false;
    db_options.create_missing_column_families = false;
  }
  db_options.info_log = std::make_shared<RocksDbLog>(options.read_only ? nullptr : options.clock);
  Missing missing;
  if (files.current) {
    std::vector<std::string> present;
    BELLWIRE_RETURN_IF_ERROR(
        FromRocksDb(rocksdb::DB::ListColumnFamilies(db_options, directory, &present),
                    absl::StrCat("opening ", directory)));
    for (const std::string& name : present) {
      if (name == rocksdb::kDefaultColumnFamilyName || name == kCommitsName ||
          std::find(kFamilyNames.begin(), kFamilyNames.end(), name) != kFamilyNames.end()) {
        continue;
      }
      return FormatError(directory,
                         absl::StrCat("has a column family \"", name,
                                      "\" that this program doesn't know: it was written by a "
                                      "newer version, or by another program"));
    }
    missing.commits = std::find(present.begin(), present.end(), kCommitsName) == present.end();
    missing.topics = std::find(present.begin(), present.end(), kTopicsName) == present.end();
    missing.record_family = present.size() + (missing.commits ? 1 : 0) + (missing.topics ? 1 : 0) <
                            kFamilyNames.size() + 2;
    // A writer makes what a crash kept from being made; a reader can't.
    if (missing.record_family && options.read_only) {
      return StoreCorruptError(absl::StrCat(directory, " lacks a column family"));
    }
    // RocksDB makes a log before it makes a column family, and misses its latest one not at all.
    if (present.size() > 1 && !files.log) {
      return StoreCorruptError(absl::StrCat(directory, " has lost its log (*.log)"));
    }
  }

  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  const rocksdb::ColumnFamilyOptions family_options = StoreColumnFamilyOptions(cache);
  families.emplace_back(rocksdb::kDefaultColumnFamilyName, family_options);
  for (const absl::string_view name : kFamilyNames) {
    if (options.read_only && missing.topics && name == kTopicsName) continue;
    families.emplace_back(std::string(name), name == "devices"
                                                 ? DevicesFamilyOptions(family_options)
                                             : name == "lives" ? LivesFamilyOptions(family_options)
                                                               : family_options);
  }
  if (!options.read_only || !missing.commits) {
    families.emplace_back(std::string(kCommitsName), CommitsFamilyOptions(family_options));
  }
  rocksdb::DB* db = nullptr;
  auto& handles = database->handles_;
  BELLWIRE_RETURN_IF_ERROR(
      FromRocksDb(options.read_only
                      ? rocksdb::DB::OpenForReadOnly(db_options, directory, families, &handles, &db)
                      : rocksdb::DB::Open(db_options, directory, families, &handles, &db),
                  absl::StrCat("opening ", directory)));
  database->db_.reset(db);
  if (families.back().name == kCommitsName) {
    database->log_ = std::make_unique<RocksDbCommitLog>(db, handles.back(), &database->batch_);
  }
  if (options.read_only && missing.topics) {
    handles.insert(handles.begin() + kFamilyNames.size(), nullptr);
  }
  BELLWIRE_RETURN_IF_ERROR(database->CheckFormat(options, missing));
  BELLWIRE_RETURN_IF_ERROR(database->Recover(options.read_only));
  // Every log is either RocksDB's own business now, or was read.
  if (!options.read_only) database->hold_->Release();
  return database;
}

absl::Status RocksDbEngine::Database::CheckFormat(const Options& options, const Missing& missing) {
  std::string bytes;
  const rocksdb::Status found =
      db_->Get(StoreReadOptions(), handles_[0], ToSlice(kFormatKey), &bytes);
  if (found.IsNotFound()) {
    // New, or its making was cut short: every later write comes after this record.
    BELLWIRE_RETURN_IF_ERROR(CheckEmpty(options));
    if (options.read_only)
      return FormatError(options.directory, "is empty: its making was cut short");
    storage::v1::Format format;
    format.set_created_at_ms(ToStoredMs(options.clock->WallNow()));
    return PutFormat(std::move(format), {});
  }
  BELLWIRE_RETURN_IF_ERROR(FromRocksDb(found, absl::StrCat("reading ", options.directory)));
  BELLWIRE_ASSIGN_OR_RETURN(const storage::v1::Format format,
                            ParseRecord<storage::v1::Format>(bytes));
  format_version_ = format.version();
  if (format_version_ < kOldestUpgradable || format_version_ > kFormatVersion) {
    return FormatError(
        options.directory,
        absl::StrCat("has format version ", format_version_, "; this program knows versions ",
                     kOldestUpgradable, " to ", kFormatVersion,
                     ". Run the version of Bellwire that wrote it."));
  }
  if (missing.record_family || (missing.commits && format_version_ >= kCommitsVersion) ||
      (missing.topics && format_version_ == kFormatVersion)) {
    return StoreCorruptError(absl::StrCat(options.directory, " lacks a column family"));
  }
  if (options.read_only || format_version_ == kFormatVersion) return absl::OkStatus();
  WriteSet writes;
  if (format_version_ < kCommitsVersion) {
    BELLWIRE_ASSIGN_OR_RETURN(writes, ReadOldLog());
  }
  BELLWIRE_RETURN_IF_ERROR(PutFormat(format, writes));
  LogInfo("store_upgraded", {{"directory", directory_},
                             {"from_version", format_version_},
                             {"to_version", kFormatVersion}});
  return absl::OkStatus();
}

absl::Status RocksDbEngine::Database::PutFormat(storage::v1::Format format,
                                                const WriteSet& writes) {
  format.set_version(kFormatVersion);
  batch_.Clear();
  for (const auto& [key, change] : writes) Stage(key.family, key.key, change.value);
  const rocksdb::Status status =
      batch_.Put(handles_[0], ToSlice(kFormatKey), format.SerializeAsString());
  assert(status.ok());
  (void)status;
  return WriteBatch();
}

absl::Status RocksDbEngine::Database::CheckEmpty(const Options& options) {
  for (rocksdb::ColumnFamilyHandle* handle : handles_) {
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(StoreReadOptions(), handle));
    it->SeekToFirst();
    if (it->Valid()) {
      return FormatError(options.directory,
                         "holds data but no format record: it is no store of Bellwire");
    }
    BELLWIRE_RETURN_IF_ERROR(
        FromRocksDb(it->status(), absl::StrCat("reading ", options.directory)));
  }
  return absl::OkStatus();
}

absl::StatusOr<WriteSet> RocksDbEngine::Database::ReadOldLog() const {
  return ReadFormat4Log(
      env_.get(), directory_, [this](uint32_t column_family) -> std::optional<Family> {
        for (size_t i = 0; i < kFamilyNames.size(); ++i) {
          const Family family = static_cast<Family>(i);
          if (handle(family) != nullptr && handle(family)->GetID() == column_family) {
            return family;
          }
        }
        return std::nullopt;
      });
}

absl::Status RocksDbEngine::Database::Recover(bool read_only) {
  if (read_only && format_version_ < kCommitsVersion) {
    BELLWIRE_ASSIGN_OR_RETURN(const WriteSet writes, ReadOldLog());
    for (const auto& [key, change] : writes) recent_.Add(key, change, LogPlace{});
    return absl::OkStatus();
  }
  BELLWIRE_ASSIGN_OR_RETURN(const RecoveredWrites recovered, RecoverFrom(*log_));
  last_commit_ = recovered.last_commit;
  if (read_only) {
    for (const auto& [key, change] : recovered.writes) recent_.Add(key, change, LogPlace{});
    return absl::OkStatus();
  }
  if (last_commit_ == 0) return absl::OkStatus();
  // The tables hear of it now, so the log begins anew.
  batch_.Clear();
  for (const auto& [key, change] : recovered.writes) Stage(key.family, key.key, change.value);
  log_->TrimTo(last_commit_ + 1);
  return WriteBatch();
}

absl::Status RocksDbEngine::Database::Checkpoint(const std::string& directory) const {
  absl::Status status = CopyTo(directory);
  if (status.ok()) return status;
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
  // Where RocksDB prepares it.
  std::filesystem::remove_all(directory + ".tmp", ignored);
  return status;
}

absl::Status RocksDbEngine::Database::CopyTo(const std::string& directory) const {
  const std::string what = absl::StrCat("copying ", directory_, " to ", directory);
  rocksdb::Checkpoint* raw = nullptr;
  BELLWIRE_RETURN_IF_ERROR(FromRocksDb(rocksdb::Checkpoint::Create(db_.get(), &raw), what));
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
  // Without a flush: the log goes with it, and the running store is not disturbed.
  BELLWIRE_RETURN_IF_ERROR(FromRocksDb(
      checkpoint->CreateCheckpoint(directory, std::numeric_limits<uint64_t>::max()), what));
  // What RocksDB leaves out: its copy of the store's id, and this program's own file.
  rocksdb::Env* const env = db_->GetEnv();
  for (const absl::string_view name : {absl::string_view("IDENTITY"), kStartFile}) {
    std::string bytes;
    BELLWIRE_RETURN_IF_ERROR(FromRocksDb(
        rocksdb::ReadFileToString(env, absl::StrCat(directory_, "/", name), &bytes), what));
    BELLWIRE_RETURN_IF_ERROR(
        FromRocksDb(rocksdb::WriteStringToFile(env, bytes, absl::StrCat(directory, "/", name),
                                               /*should_sync=*/true),
                    what));
  }
  std::unique_ptr<rocksdb::Directory> made;
  BELLWIRE_RETURN_IF_ERROR(FromRocksDb(env->NewDirectory(directory, &made), what));
  return FromRocksDb(made->Fsync(), what);
}

absl::Status RocksDbEngine::Database::WriteBatch() {
  return FromRocksDb(db_->Write(StoreWriteOptions(), &batch_),
                     absl::StrCat("writing to ", directory_));
}

absl::StatusOr<std::optional<std::string>> RocksDbEngine::Database::Get(
    Family family, absl::string_view key) const {
  if (handle(family) == nullptr) return std::nullopt;
  std::string value;
  const rocksdb::Status status = db_->Get(StoreReadOptions(), handle(family), ToSlice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  BELLWIRE_RETURN_IF_ERROR(FromRocksDb(status, absl::StrCat("reading ", directory_)));
  return std::optional<std::string>(std::move(value));
}

absl::Status RocksDbEngine::Database::Scan(
    Family family, absl::string_view from, absl::string_view to,
    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const {
  if (handle(family) == nullptr) return absl::OkStatus();
  rocksdb::ReadOptions read_options = StoreReadOptions();
  const rocksdb::Slice upper_bound = ToSlice(to);
  read_options.iterate_upper_bound = &upper_bound;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(read_options, handle(family)));
  for (it->Seek(ToSlice(from)); it->Valid(); it->Next()) {
    if (!visit(ToView(it->key()), ToView(it->value()))) return absl::OkStatus();
  }
  return FromRocksDb(it->status(), absl::StrCat("reading ", directory_));
}

void RocksDbEngine::Database::Stage(Family family, absl::string_view key,
                                    const std::optional<std::string>& value) {
  // Fails only where a batch has a limit of bytes, or a key 4 GiB.
  const rocksdb::Status status = value.has_value()
                                     ? batch_.Put(handle(family), ToSlice(key), *value)
                                     : batch_.Delete(handle(family), ToSlice(key));
  assert(status.ok());
  (void)status;
}

bool RocksDbEngine::Database::LeaveRecent() {
  if (!leave_before_bytes_.has_value()) leave_before_bytes_ = logged_bytes_;
  const std::optional<LogPlace> oldest = recent_.oldest();
  return oldest.has_value() && oldest->bytes < *leave_before_bytes_;
}

absl::Status RocksDbEngine::Database::RewriteTables(std::atomic<bool>* cancelled) {
  const std::string what = absl::StrCat("writing the tables of ", directory_, " anew");
  // Of all families at once: a log goes when no family needs it.
  BELLWIRE_RETURN_IF_ERROR(FromRocksDb(db_->Flush(rocksdb::FlushOptions(), handles_), what));
  rocksdb::CompactRangeOptions options;
  // The usual compactions go on beside it.
  options.exclusive_manual_compaction = false;
  // What is in the last level only would be left as it is.
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  options.canceled = cancelled;
  for (rocksdb::ColumnFamilyHandle* const handle : handles_) {
    BELLWIRE_RETURN_IF_ERROR(
        FromRocksDb(db_->CompactRange(options, handle, nullptr, nullptr), what));
  }
  return absl::OkStatus();
}

absl::Status RocksDbEngine::Database::Commit(const WriteSet& writes) {
  batch_.Clear();
  const LogPlace place{last_commit_ + 1, logged_bytes_};
  bool logs = leave_before_bytes_.has_value() && LeaveRecent();
  uint64_t kept_bytes = 0;
  for (const auto& [key, change] : writes) {
    if (RecentWrites::Keeps(key.family)) {
      logs = true;
      kept_bytes += key.key.size() + (change.value.has_value() ? change.value->size() : 0);
    } else {
      Stage(key.family, key.key, change.value);
    }
  }
  if (logs) StageRecent(writes, place, std::max(kMinLeavingBytes, 2 * kept_bytes));
  BELLWIRE_RETURN_IF_ERROR(WriteBatch());
  if (!logs) return absl::OkStatus();
  for (const auto& [key, change] : writes) {
    if (RecentWrites::Keeps(key.family)) recent_.Add(key, change, place);
  }
  last_commit_ = place.commit;
  logged_bytes_ += entry_.bytes().size();
  return absl::OkStatus();
}

void RocksDbEngine::Database::StageRecent(const WriteSet& writes, const LogPlace& place,
                                          uint64_t leaving_bytes) {
  // What leaves RecentWrites goes to the tables with this commit.
  const uint64_t due = logged_bytes_ - std::min(logged_bytes_, max_recent_bytes_);
  recent_.TakeBefore(
      std::max(due, leave_before_bytes_.value_or(0)), leaving_bytes,
      [this](Family family, absl::string_view key, const std::optional<std::string>& value) {
        Stage(family, key, value);
      });
  const uint64_t oldest = recent_.oldest().value_or(place).commit;
  entry_.Start(oldest);
  for (const auto& [key, change] : writes) {
    if (RecentWrites::Keeps(key.family)) entry_.Write(key.family, key.key, change.value);
  }
  log_->TrimTo(oldest);
  log_->Append(place.commit, entry_.bytes());
}

absl::StatusOr<std::unique_ptr<RocksDbEngine>> RocksDbEngine::Open(Options options) {
  if (!options.read_only) BELLWIRE_RETURN_IF_ERROR(MakeDirectory(options.directory));
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<DirectoryLock> lock,
                            options.read_only ? DirectoryLock::TakeToRead(options.directory)
                                              : DirectoryLock::Take(options.directory));
  std::unique_ptr<RocksDbEngine> engine(new RocksDbEngine(std::move(options), std::move(lock)));
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::Open(engine->options_));
  engine->SetDatabase(std::move(database));
  // Not each time that it is opened again after a failed write: the same process goes on with its
  // numbers.
  if (engine->options_.read_only) {
    BELLWIRE_ASSIGN_OR_RETURN(const storage::v1::Format last, ReadStart(engine->options_));
    engine->numbers_after_ = last.numbers_after();
  } else {
    BELLWIRE_ASSIGN_OR_RETURN(engine->numbers_after_, NumberStart(engine->options_));
  }
  return engine;
}

RocksDbEngine::RocksDbEngine(Options options, std::unique_ptr<DirectoryLock> lock)
    : options_(std::move(options)), lock_(std::move(lock)), failures_(options_.clock) {}

RocksDbEngine::~RocksDbEngine() = default;

absl::StatusOr<RocksDbEngine::Database*> RocksDbEngine::Ready() const {
  if (database_ != nullptr) return database_.get();
  const MonotonicTime now = options_.clock->Monotonic();
  if (now < next_attempt_) return last_error_;
  absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(options_);
  if (!database.ok()) {
    next_attempt_ = now + kStoreReopenInterval;
    last_error_ = StoreUnavailableError(database.status().message());
    if (const auto unsaid = failures_.Take()) {
      LogError("store_reopen_failed", {{"directory", options_.directory},
                                       {"error", database.status().message()},
                                       {"unsaid", *unsaid}});
    }
    return last_error_;
  }
  LogInfo("store_reopened", {{"directory", options_.directory}});
  SetDatabase(*std::move(database));
  return database_.get();
}

absl::StatusOr<std::optional<std::string>> RocksDbEngine::Get(Family family,
                                                              absl::string_view key) const {
  BELLWIRE_ASSIGN_OR_RETURN(const Database* database, Ready());
  return database->recent().Get(family, key);
}

absl::StatusOr<std::optional<absl::string_view>> RocksDbEngine::View(Family family,
                                                                     absl::string_view key,
                                                                     std::string* storage) const {
  BELLWIRE_ASSIGN_OR_RETURN(const Database* database, Ready());
  return database->recent().View(family, key, storage);
}

absl::Status RocksDbEngine::Scan(
    Family family, absl::string_view from, absl::string_view to,
    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const {
  BELLWIRE_ASSIGN_OR_RETURN(const Database* database, Ready());
  return database->recent().Scan(family, from, to, visit);
}

void RocksDbEngine::SetDatabase(std::shared_ptr<Database> database) const {
  {
    absl::MutexLock lock(&database_mutex_);
    database_.swap(database);
  }
  // The old one is closed here, unless a checkpoint holds it.
}

uint64_t RocksDbEngine::MemoryBytes() const {
  absl::MutexLock lock(&database_mutex_);
  return database_ == nullptr ? 0 : database_->MemoryBytes();
}

std::optional<uint64_t> RocksDbEngine::FreeBytes() const {
  rocksdb::Env* const env = options_.env != nullptr ? options_.env : rocksdb::Env::Default();
  uint64_t bytes = 0;
  if (!env->GetFreeSpace(options_.directory, &bytes).ok()) return std::nullopt;
  return bytes;
}

absl::Status RocksDbEngine::Checkpoint(const std::string& directory) const {
  std::shared_ptr<Database> database;
  {
    absl::MutexLock lock(&database_mutex_);
    database = database_;
  }
  if (database == nullptr) {
    return StoreUnavailableError(
        absl::StrCat("the store ", options_.directory, " is closed after a failed write"));
  }
  return database->Checkpoint(directory);
}

absl::StatusOr<OldVersions> RocksDbEngine::ForgetOldVersions() {
  BELLWIRE_ASSIGN_OR_RETURN(Database * database, Ready());
  if (rewrite_ == nullptr) {
    if (database->LeaveRecent()) return OldVersions::kLeaving;
    database->EndLeaving();
    rewrite_ = std::make_unique<Rewrite>(database_);
    return OldVersions::kRewriting;
  }
  if (!rewrite_->done()) return OldVersions::kRewriting;
  const absl::Status status = rewrite_->status();
  rewrite_.reset();
  BELLWIRE_RETURN_IF_ERROR(status);
  return OldVersions::kGone;
}

absl::StatusOr<std::vector<RocksDbEngine::TableFile>> RocksDbEngine::TableFiles() const {
  BELLWIRE_ASSIGN_OR_RETURN(Database * database, Ready());
  std::vector<rocksdb::LiveFileMetaData> live;
  database->db()->GetLiveFilesMetaData(&live);
  std::vector<TableFile> files;
  for (const rocksdb::LiveFileMetaData& file : live) {
    const bool known = file.file_checksum_func_name == rocksdb::kStandardDbFileChecksumFuncName;
    files.push_back({absl::StrCat(options_.directory, file.name), known ? file.file_checksum : ""});
  }
  std::sort(files.begin(), files.end(),
            [](const TableFile& a, const TableFile& b) { return a.path < b.path; });
  return files;
}

absl::StatusOr<std::string> RocksDbEngine::Identity() const {
  BELLWIRE_ASSIGN_OR_RETURN(Database * database, Ready());
  std::string identity;
  BELLWIRE_RETURN_IF_ERROR(FromRocksDb(database->db()->GetDbIdentity(identity),
                                       absl::StrCat("reading ", options_.directory)));
  return identity;
}

absl::Status RocksDbEngine::Commit(const WriteSet& writes) {
  BELLWIRE_ASSIGN_OR_RETURN(Database * database, Ready());
  // Else each comparison of two keys counts itself, which takes as long as the comparison.
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
  const absl::Status status = database->Commit(writes);
  if (status.ok()) return status;
  if (const auto unsaid = failures_.Take()) {
    LogError("store_write_failed",
             {{"directory", options_.directory}, {"error", status.message()}, {"unsaid", *unsaid}});
  }
  // It holds the database, which is opened again once nobody does.
  rewrite_.reset();
  SetDatabase(nullptr);
  next_attempt_ = options_.clock->Monotonic() + kStoreReopenInterval;
  last_error_ = StoreUnavailableError(status.message());
  return last_error_;
}

}  // namespace bellwire::registry
