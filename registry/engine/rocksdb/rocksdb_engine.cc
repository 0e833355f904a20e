#include "registry/engine/rocksdb/rocksdb_engine.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "registry/engine/recent_writes.h"
#include "registry/engine/records.h"
#include "registry/engine/rocksdb/gradual_deletion.h"
#include "registry/engine/rocksdb/log_check.h"
#include "registry/engine/rocksdb/log_keeper.h"
#include "registry/engine/rocksdb/recent_log.h"
#include "registry/engine/rocksdb/rocksdb_log.h"
#include "registry/engine/rocksdb/rocksdb_options.h"
#include "registry/engine/rocksdb/rocksdb_status.h"
#include "registry/engine/store_error.h"
#include "registry/keys/keys.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "rocksdb/file_checksum.h"
#include "rocksdb/perf_level.h"
#include "rocksdb/write_batch.h"

namespace bellwire::registry {
namespace {

constexpr uint32_t kFormatVersion = 4;
// Its log has no LoggedWrites: all that is to be changed is this number.
constexpr uint32_t kFormatVersionBeforeRecentWrites = 3;
// In RocksDB's default column family, which holds nothing else.
constexpr absl::string_view kFormatKey = "format";

// In the order of Family.
constexpr std::array<absl::string_view, 7> kFamilyNames = {"devices",  "lives",  "teams", "names",
                                                           "timeline", "outbox", "feeds"};

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
      Check(db_->DestroyColumnFamilyHandle(handle), "closing a column family");
    }
    if (db_ != nullptr) Check(db_->Close(), "closing");
  }

  rocksdb::DB* db() { return db_.get(); }
  const RecentWrites& recent() const { return recent_; }

  // What is in the tables.
  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 absl::string_view key) const override;
  absl::Status Scan(
      Family family, absl::string_view from, absl::string_view to,
      absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const override;

  // As KvEngine::Commit; after an error the database is good for nothing but to be closed.
  absl::Status Commit(const WriteSet& writes);

 private:
  Database(const Options& options, const std::shared_ptr<LogKeeper>& keeper)
      : directory_(options.directory),
        max_recent_bytes_(options.max_recent_writes_bytes),
        keeper_(keeper),
        env_(rocksdb::NewCompositeEnv(keeper)) {}

  // Puts one change into a batch.
  void Stage(Family family, absl::string_view key, const std::optional<std::string>& value,
             rocksdb::WriteBatch* batch);
  absl::Status Recover(bool read_only);

  // What fails while closing was durable before, or never promised to be.
  static void Check(const rocksdb::Status& status, absl::string_view doing) {
    const absl::Status converted = FromRocksDb(status, doing);
    if (!converted.ok()) LogWarning("store_close_failed", {{"error", converted.message()}});
  }

  absl::Status CheckFormat(const Options& options, bool families_missing);
  absl::Status CheckEmpty(const Options& options);
  // With the version of this program.
  absl::Status PutFormat(storage::v1::Format format);

  rocksdb::ColumnFamilyHandle* handle(Family family) const {
    return handles_[static_cast<size_t>(family) + 1];
  }

  const std::string directory_;
  const uint64_t max_recent_bytes_;
  const std::shared_ptr<LogKeeper> keeper_;
  const std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<rocksdb::DB> db_;
  // The first is that of the default column family.
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  RecentWrites recent_{this};
  // Of the last commit that logged writes for `recent_`, and how much all since the start were.
  uint64_t last_commit_ = 0;
  uint64_t logged_bytes_ = 0;
  // To build a commit in: buffers for all of them, as large as the largest needed.
  rocksdb::WriteBatch batch_{/*reserved_bytes=*/0, /*max_bytes=*/0,
                             StoreWriteOptions().protection_bytes_per_key,
                             /*default_cf_ts_sz=*/0};
  rocksdb::WriteBatch recent_batch_;
  storage::v1::LoggedWrites logged_;
  std::string blob_;
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
      options,
      std::make_shared<LogKeeper>(std::make_shared<GradualDeletion>(env->GetFileSystem()))));
  rocksdb::DBOptions db_options = StoreDbOptions(database->env_.get(), cache);
  if (options.read_only) {
    if (!files.current) return FormatError(directory, "is none: there is no file CURRENT");
    db_options.create_if_missing = false;
    db_options.create_missing_column_families = false;
  }
  db_options.info_log = std::make_shared<RocksDbLog>(options.read_only ? nullptr : options.clock);
  bool families_missing = false;
  if (files.current) {
    std::vector<std::string> present;
    BELLWIRE_RETURN_IF_ERROR(
        FromRocksDb(rocksdb::DB::ListColumnFamilies(db_options, directory, &present),
                    absl::StrCat("opening ", directory)));
    for (const std::string& name : present) {
      if (name == rocksdb::kDefaultColumnFamilyName ||
          std::find(kFamilyNames.begin(), kFamilyNames.end(), name) != kFamilyNames.end()) {
        continue;
      }
      return FormatError(directory,
                         absl::StrCat("has a column family \"", name,
                                      "\" that this program doesn't know: it was written by a "
                                      "newer version, or by another program"));
    }
    families_missing = present.size() < kFamilyNames.size() + 1;
    // A writer makes what a crash kept from being made; a reader can't.
    if (families_missing && options.read_only) {
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
    families.emplace_back(std::string(name), name == "devices"
                                                 ? DevicesFamilyOptions(family_options)
                                             : name == "lives" ? LivesFamilyOptions(family_options)
                                                               : family_options);
  }
  rocksdb::DB* db = nullptr;
  auto& handles = database->handles_;
  BELLWIRE_RETURN_IF_ERROR(
      FromRocksDb(options.read_only
                      ? rocksdb::DB::OpenForReadOnly(db_options, directory, families, &handles, &db)
                      : rocksdb::DB::Open(db_options, directory, families, &handles, &db),
                  absl::StrCat("opening ", directory)));
  database->db_.reset(db);
  BELLWIRE_RETURN_IF_ERROR(database->CheckFormat(options, families_missing));
  BELLWIRE_RETURN_IF_ERROR(database->Recover(options.read_only));
  return database;
}

absl::Status RocksDbEngine::Database::CheckFormat(const Options& options, bool families_missing) {
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
    return PutFormat(std::move(format));
  }
  BELLWIRE_RETURN_IF_ERROR(FromRocksDb(found, absl::StrCat("reading ", options.directory)));
  BELLWIRE_ASSIGN_OR_RETURN(const storage::v1::Format format,
                            ParseRecord<storage::v1::Format>(bytes));
  if (format.version() == kFormatVersionBeforeRecentWrites && !families_missing) {
    return options.read_only ? absl::OkStatus() : PutFormat(format);
  }
  if (format.version() != kFormatVersion) {
    return FormatError(
        options.directory,
        absl::StrCat("has format version ", format.version(), "; this program knows version ",
                     kFormatVersion, " only. Run the version of Bellwire that wrote it."));
  }
  if (families_missing) {
    return StoreCorruptError(absl::StrCat(options.directory, " lacks a column family"));
  }
  return absl::OkStatus();
}

absl::Status RocksDbEngine::Database::PutFormat(storage::v1::Format format) {
  format.set_version(kFormatVersion);
  return FromRocksDb(
      db_->Put(StoreWriteOptions(), handles_[0], ToSlice(kFormatKey), format.SerializeAsString()),
      absl::StrCat("writing to ", directory_));
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

// Tells the tables what was recent when the store was closed, or died, so that the logs of that time may go.
absl::Status RocksDbEngine::Database::Recover(bool read_only) {
  const auto family_of = [this](uint32_t column_family) -> std::optional<Family> {
    for (size_t i = 1; i < handles_.size(); ++i) {
      if (handles_[i]->GetID() == column_family) return static_cast<Family>(i - 1);
    }
    return std::nullopt;
  };
  BELLWIRE_ASSIGN_OR_RETURN(const RecoveredWrites recovered,
                            RecoverRecentWrites(env_.get(), directory_, family_of));
  last_commit_ = recovered.last_commit;
  if (read_only) {
    for (const auto& [key, change] : recovered.writes) recent_.Add(key, change, LogPlace{});
    return absl::OkStatus();
  }
  batch_.Clear();
  for (const auto& [key, change] : recovered.writes) {
    Stage(key.family, key.key, change.value, &batch_);
  }
  if (batch_.Count() > 0) {
    BELLWIRE_RETURN_IF_ERROR(FromRocksDb(db_->Write(StoreWriteOptions(), &batch_),
                                         absl::StrCat("writing to ", directory_)));
  }
  keeper_->KeepFrom(keeper_->latest());
  keeper_->DeleteReleased();
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> RocksDbEngine::Database::Get(
    Family family, absl::string_view key) const {
  std::string value;
  const rocksdb::Status status = db_->Get(StoreReadOptions(), handle(family), ToSlice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  BELLWIRE_RETURN_IF_ERROR(FromRocksDb(status, absl::StrCat("reading ", directory_)));
  return std::optional<std::string>(std::move(value));
}

absl::Status RocksDbEngine::Database::Scan(
    Family family, absl::string_view from, absl::string_view to,
    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const {
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
                                    const std::optional<std::string>& value,
                                    rocksdb::WriteBatch* batch) {
  // Fails only where a batch has a limit of bytes, or a key 4 GiB.
  const rocksdb::Status status = value.has_value()
                                     ? batch->Put(handle(family), ToSlice(key), *value)
                                     : batch->Delete(handle(family), ToSlice(key));
  assert(status.ok());
  (void)status;
}

absl::Status RocksDbEngine::Database::Commit(const WriteSet& writes) {
  batch_.Clear();
  recent_batch_.Clear();
  for (const auto& [key, change] : writes) {
    Stage(key.family, key.key, change.value,
          RecentWrites::Keeps(key.family) ? &recent_batch_ : &batch_);
  }
  const LogPlace place{last_commit_ + 1, keeper_->latest(), logged_bytes_};
  if (recent_batch_.Count() > 0) {
    recent_.TakeBefore(
        logged_bytes_ - std::min(logged_bytes_, max_recent_bytes_),
        [this](Family family, absl::string_view key, const std::optional<std::string>& value) {
          Stage(family, key, value, &batch_);
        });
    logged_.set_commit(place.commit);
    logged_.set_oldest_commit(recent_.oldest().value_or(place).commit);
    logged_.set_writes(recent_batch_.Data());
    logged_.SerializeToString(&blob_);
    // After what leaves RecentWrites: it may be written again.
    (void)batch_.PutLogData(blob_);
  }
  BELLWIRE_RETURN_IF_ERROR(FromRocksDb(db_->Write(StoreWriteOptions(), &batch_),
                                       absl::StrCat("writing to ", directory_)));
  if (recent_batch_.Count() == 0) return absl::OkStatus();
  for (const auto& [key, change] : writes) {
    if (RecentWrites::Keeps(key.family)) recent_.Add(key, change, place);
  }
  last_commit_ = place.commit;
  logged_bytes_ += blob_.size();
  keeper_->KeepFrom(recent_.oldest().value_or(place).file);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RocksDbEngine>> RocksDbEngine::Open(Options options) {
  if (!options.read_only) BELLWIRE_RETURN_IF_ERROR(MakeDirectory(options.directory));
  BELLWIRE_ASSIGN_OR_RETURN(std::unique_ptr<DirectoryLock> lock,
                            options.read_only ? DirectoryLock::TakeToRead(options.directory)
                                              : DirectoryLock::Take(options.directory));
  std::unique_ptr<RocksDbEngine> engine(new RocksDbEngine(std::move(options), std::move(lock)));
  BELLWIRE_ASSIGN_OR_RETURN(engine->database_, Database::Open(engine->options_));
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
  database_ = *std::move(database);
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
  database_.reset();
  next_attempt_ = options_.clock->Monotonic() + kStoreReopenInterval;
  last_error_ = StoreUnavailableError(status.message());
  return last_error_;
}

}  // namespace bellwire::registry
