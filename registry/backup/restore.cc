#include "registry/backup/restore.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "crypto/token_sealer.h"
#include "ops/data_dir.h"
#include "registry/backup/file_copy.h"
#include "registry/check/store_check.h"
#include "registry/engine/rocksdb/directory_lock.h"

namespace bellwire::registry {
namespace {

namespace fs = std::filesystem;

bool Exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

class Restore {
 public:
  Restore(const RestoreOptions& options, absl::Time now)
      : options_(options),
        backup_(options.backup),
        target_(options.data_dir),
        staging_(options.data_dir + "/restore.unfinished"),
        aside_(absl::StrCat(options.data_dir, "/before_restore_",
                            absl::FormatTime("%Y%m%dT%H%M%SZ", now, absl::UTCTimeZone()))) {}

  absl::StatusOr<Restored> Run(absl::FunctionRef<void(absl::string_view, uint64_t)> progress) {
    BELLWIRE_RETURN_IF_ERROR(CheckBackup(progress));
    BELLWIRE_RETURN_IF_ERROR(MakeDirectory(target_.path()));
    ChooseFiles();
    BELLWIRE_RETURN_IF_ERROR(CheckTarget());
    std::unique_ptr<DirectoryLock> lock;
    if (Exists(target_.registry())) {
      BELLWIRE_ASSIGN_OR_RETURN(lock, DirectoryLock::Take(target_.registry()));
    }
    std::error_code ignored;
    const absl::Cleanup remove = [&] { fs::remove_all(staging_.path(), ignored); };
    BELLWIRE_RETURN_IF_ERROR(Stage());
    BELLWIRE_RETURN_IF_ERROR(PutInPlace());
    return std::move(restored_);
  }

 private:
  absl::Status CheckBackup(absl::FunctionRef<void(absl::string_view, uint64_t)> progress) {
    if (!Exists(backup_.registry() + "/CURRENT")) {
      return MakeError(
          absl::StatusCode::kNotFound, "NO_BACKUP",
          absl::StrCat(backup_.path(), " is no backup: there is no store ", backup_.registry()));
    }
    const std::string token_keys = options_.keep_keys ? target_.token_keys() : backup_.token_keys();
    if (!HasContents(token_keys)) {
      return MakeError(
          absl::StatusCode::kFailedPrecondition, "NO_TOKEN_KEYS",
          absl::StrCat("there is no ", token_keys, ": without it every token is dead"));
    }
    // As the server will read it. With other keys no token is opened, and a server with `force` had
    // given up its own for them.
    BELLWIRE_RETURN_IF_ERROR(TokenSealer::FromFile(token_keys).status());
    BELLWIRE_ASSIGN_OR_RETURN(const StoreCheckReport report,
                              CheckStore({.directory = backup_.registry(),
                                          .payload_key_file = options_.payload_key_file},
                                         progress));
    restored_.records = report.records.records();
    if (report.records.sound()) return absl::OkStatus();
    return MakeError(
        absl::StatusCode::kDataLoss, "STORE_CORRUPT",
        absl::StrCat("the backup ", backup_.path(), " is damaged (", report.records.problem_count,
                     " problems) and was not restored; `bellwire registry check "
                     "--data_dir ",
                     backup_.path(), "` names them"));
  }

  // Which files of the backup are put in place, relative to a data directory. The store is the
  // last.
  void ChooseFiles() {
    if (!options_.keep_keys) {
      for (const std::string& file : DataDir::KeyFiles()) {
        if (Exists(In(backup_, file))) files_.push_back(file);
      }
    }
    files_.push_back("registry");
  }

  absl::Status CheckTarget() const {
    if (options_.force) return absl::OkStatus();
    const auto in_the_way = std::find_if(files_.begin(), files_.end(), [this](const auto& file) {
      return Exists(In(target_, file));
    });
    if (in_the_way == files_.end()) return absl::OkStatus();
    return MakeError(absl::StatusCode::kAlreadyExists, "STORE_EXISTS",
                     absl::StrCat("there is already ", In(target_, *in_the_way),
                                  ": nothing was changed; --force moves what is there aside"));
  }

  // Everything that takes long or needs room.
  absl::Status Stage() {
    std::error_code error;
    fs::remove_all(staging_.path(), error);
    BELLWIRE_RETURN_IF_ERROR(MakeDirectory(staging_.path()));
    for (const std::string& file : files_) {
      if (file != "registry") {
        BELLWIRE_RETURN_IF_ERROR(CopyFileDurably(In(backup_, file), In(staging_, file)));
      }
    }
    for (const fs::directory_entry& entry : fs::directory_iterator(backup_.registry(), error)) {
      const std::string name = entry.path().filename();
      if (name == "bellwire.lock" || name == "LOCK") continue;
      BELLWIRE_RETURN_IF_ERROR(
          CopyFileDurably(entry.path(), absl::StrCat(staging_.registry(), "/", name)));
    }
    if (!error) return absl::OkStatus();
    return MakeError(absl::StatusCode::kUnavailable, "FILE_NOT_READ",
                     absl::StrCat("can't list ", backup_.registry(), ": ", error.message()));
  }

  absl::Status PutInPlace() {
    for (const std::string& file : files_) {
      if (Exists(In(target_, file))) {
        restored_.moved_to = aside_.path();
        BELLWIRE_RETURN_IF_ERROR(MakeDirectory(aside_.path()));
        BELLWIRE_RETURN_IF_ERROR(MakeDirectory(fs::path(In(aside_, file)).parent_path()));
        BELLWIRE_RETURN_IF_ERROR(RenameDurably(In(target_, file), In(aside_, file)));
      }
      BELLWIRE_RETURN_IF_ERROR(MakeDirectory(fs::path(In(target_, file)).parent_path()));
      BELLWIRE_RETURN_IF_ERROR(RenameDurably(In(staging_, file), In(target_, file)));
    }
    return absl::OkStatus();
  }

  static std::string In(const DataDir& directory, const std::string& file) {
    return absl::StrCat(directory.path(), "/", file);
  }

  const RestoreOptions& options_;
  const DataDir backup_;
  const DataDir target_;
  const DataDir staging_;
  const DataDir aside_;
  std::vector<std::string> files_;
  Restored restored_;
};

}  // namespace

absl::StatusOr<Restored> RestoreBackup(
    const RestoreOptions& options, absl::Time now,
    absl::FunctionRef<void(absl::string_view what, uint64_t done)> progress) {
  return Restore(options, now).Run(progress);
}

}  // namespace bellwire::registry
