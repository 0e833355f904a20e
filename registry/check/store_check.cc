#include "registry/check/store_check.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "registry/engine/rocksdb/crc32c.h"
#include "registry/engine/rocksdb/directory_lock.h"
#include "registry/engine/rocksdb/log_check.h"
#include "registry/engine/rocksdb/rocksdb_engine.h"
#include "registry/engine/rocksdb/rocksdb_options.h"
#include "registry/engine/rocksdb/rocksdb_status.h"
#include "registry/sealing/payload_state.h"
#include "registry/sealing/record_seal.h"
#include "registry/sealing/sealed_reader.h"
#include "rocksdb/env.h"
#include "rocksdb/file_checksum.h"
#include "rocksdb/options.h"
#include "rocksdb/sst_file_reader.h"

namespace bellwire::registry {
namespace {

constexpr size_t kPieceBytes = 1 << 20;

std::string FileName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

class StoreCheck {
 public:
  StoreCheck(const StoreCheckOptions& options,
             absl::FunctionRef<void(absl::string_view, uint64_t)> progress)
      : options_(options),
        env_(options.env != nullptr ? options.env : rocksdb::Env::Default()),
        progress_(progress) {}

  absl::StatusOr<StoreCheckReport> Run() {
    // Before anything is read: what a writer changes meanwhile would look like damage. The engine
    // takes it once more, which readers may.
    BELLWIRE_ASSIGN_OR_RETURN(const std::unique_ptr<DirectoryLock> lock,
                              DirectoryLock::TakeToRead(options_.directory));
    std::vector<std::string> children;
    BELLWIRE_RETURN_IF_ERROR(FromRocksDb(env_->GetChildren(options_.directory, &children),
                                         absl::StrCat("listing ", options_.directory)));
    auto engine = RocksDbEngine::Open(
        {.directory = options_.directory, .clock = RealClock(), .env = env_, .read_only = true});
    // Not one of Bellwire's, or not of this version. Nothing that is said of its files would mean
    // anything.
    if (absl::IsFailedPrecondition(engine.status())) return engine.status();
    if (engine.ok()) BELLWIRE_RETURN_IF_ERROR(PrepareToOpen(**engine));
    report_.opened = engine.ok();
    progress_("logs", 0);
    BELLWIRE_RETURN_IF_ERROR(CheckEachLog(env_, options_.directory,
                                          [&](const absl::Status& damage) { Add("log", damage); }));
    if (engine.ok()) {
      BELLWIRE_RETURN_IF_ERROR(CheckFilesOf(**engine));
      const auto progress = [&](uint64_t records) { progress_("records", records); };
      if (seal_.has_value()) {
        SealedReader opened(engine->get(), &*seal_, SealedReader::Unreadable::kAsItIs);
        opened.SetClearAllowed(clear_allowed_);
        CheckRecords(opened, progress, &report_.records);
      } else {
        CheckRecords(**engine, progress, &report_.records);
      }
    } else {
      CheckTablesAmong(std::move(children));
      // Damage to a log was said above; what is left may be a lost file, which only RocksDB misses.
      if (report_.records.sound()) Add("store", engine.status());
    }
    return std::move(report_);
  }

 private:
  // Sees to it that all payloads can be opened.
  absl::Status PrepareToOpen(const RocksDbEngine& engine) {
    const absl::StatusOr<std::optional<storage::v1::PayloadKeys>> state = ReadPayloadState(engine);
    // Damage is found again with the records.
    if (!state.ok() || (!state->has_value() && options_.payload_key_file.empty())) {
      return absl::OkStatus();
    }
    std::shared_ptr<const PayloadKeys> keys;
    if (!options_.payload_key_file.empty()) {
      BELLWIRE_ASSIGN_OR_RETURN(keys, PayloadKeys::FromFile(options_.payload_key_file));
    }
    BELLWIRE_RETURN_IF_ERROR(CheckPayloadKeys(*state, keys.get()));
    if (!state->has_value()) return absl::OkStatus();
    clear_allowed_ = (*state)->clear();
    seal_.emplace(std::move(keys));
    return absl::OkStatus();
  }

  void Add(absl::string_view where, const absl::Status& status) {
    report_.records.Add(std::string(where), std::string(status.message()));
  }

  absl::Status CheckFilesOf(const RocksDbEngine& engine) {
    BELLWIRE_ASSIGN_OR_RETURN(const std::vector<RocksDbEngine::TableFile> files,
                              engine.TableFiles());
    for (const RocksDbEngine::TableFile& file : files) {
      CheckTable(file.path);
      if (!file.checksum.empty()) CheckAllBytes(file);
    }
    BELLWIRE_ASSIGN_OR_RETURN(const std::string identity, engine.Identity());
    std::string file;
    const absl::Status read =
        FromRocksDb(rocksdb::ReadFileToString(env_, options_.directory + "/IDENTITY", &file),
                    "reading IDENTITY");
    if (!read.ok()) {
      Add("IDENTITY", read);
    } else if (absl::StripSuffix(file, "\n") != identity) {
      report_.records.Add("IDENTITY", "it is not what the MANIFEST says of this store");
    }
    return absl::OkStatus();
  }

  // Without the store's word for it which files belong to it.
  void CheckTablesAmong(std::vector<std::string> children) {
    std::sort(children.begin(), children.end());
    for (const std::string& child : children) {
      if (absl::EndsWith(child, ".sst")) CheckTable(absl::StrCat(options_.directory, "/", child));
    }
  }

  // The checksum of each block.
  void CheckTable(const std::string& path) {
    progress_("tables", report_.table_bytes);
    ++report_.table_files;
    uint64_t size = 0;
    if (env_->GetFileSize(path, &size).ok()) report_.table_bytes += size;
    rocksdb::Options options(StoreDbOptions(env_, /*cache=*/nullptr),
                             StoreColumnFamilyOptions(/*cache=*/nullptr));
    rocksdb::SstFileReader reader(options);
    absl::Status status = FromRocksDb(reader.Open(path), absl::StrCat("reading ", path));
    if (status.ok()) {
      status =
          FromRocksDb(reader.VerifyChecksum(StoreReadOptions()), absl::StrCat("reading ", path));
    }
    if (!status.ok()) Add(absl::StrCat("file ", FileName(path)), status);
  }

  // Of what lies between the blocks, too.
  void CheckAllBytes(const RocksDbEngine::TableFile& table) {
    const std::string where = absl::StrCat("file ", FileName(table.path));
    std::unique_ptr<rocksdb::SequentialFile> file;
    absl::Status status =
        FromRocksDb(env_->NewSequentialFile(table.path, &file, rocksdb::EnvOptions()), "opening");
    std::vector<char> buffer(kPieceBytes);
    uint32_t crc = 0;
    while (status.ok()) {
      rocksdb::Slice piece;
      status = FromRocksDb(file->Read(buffer.size(), &piece, buffer.data()), "reading");
      if (piece.empty()) break;
      crc = ExtendCrc32c(crc, absl::string_view(piece.data(), piece.size()));
    }
    if (!status.ok()) return Add(where, status);
    std::string found;
    for (int shift = 24; shift >= 0; shift -= 8) found.push_back(static_cast<char>(crc >> shift));
    if (found != table.checksum) {
      report_.records.Add(where,
                          "its bytes are not those that were written: the checksum of the "
                          "whole file differs");
    }
  }

  const StoreCheckOptions& options_;
  rocksdb::Env* const env_;
  const absl::FunctionRef<void(absl::string_view, uint64_t)> progress_;
  StoreCheckReport report_;
  // Of a store whose payloads are sealed.
  std::optional<RecordSeal> seal_;
  bool clear_allowed_ = false;
};

}  // namespace

absl::StatusOr<StoreCheckReport> CheckStore(
    const StoreCheckOptions& options,
    absl::FunctionRef<void(absl::string_view what, uint64_t done)> progress) {
  return StoreCheck(options, progress).Run();
}

}  // namespace bellwire::registry
