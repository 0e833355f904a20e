#include "registry/backup/backup_maker.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "crypto/file_util.h"
#include "registry/backup/file_copy.h"

namespace bellwire::registry {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxNameBytes = 64;
// A backup that is being made is hidden, and has this ending.
constexpr absl::string_view kUnfinished = ".unfinished";

bool IsName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' ||
                  c == '-';
         });
}

// Of a process that died in the midst of one.
void RemoveUnfinished(const std::string& backup_dir) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(backup_dir, error)) {
    const std::string name = entry.path().filename();
    if (name.front() == '.' && absl::EndsWith(name, kUnfinished)) fs::remove_all(entry, error);
  }
}

}  // namespace

absl::Status BackupsOffError() {
  return MakeError(absl::StatusCode::kFailedPrecondition, "BACKUPS_OFF",
                   "the registry was started without --backup_dir: it may write backups nowhere");
}

absl::Status CheckBackupDir(const std::string& backup_dir, const std::string& store) {
  const auto bad = [&](absl::string_view why) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "BAD_BACKUP_DIR",
                     absl::StrCat("no backup can be made below ", backup_dir, ": ", why));
  };
  std::error_code error;
  const fs::path place = fs::weakly_canonical(fs::absolute(backup_dir, error), error);
  const fs::path forbidden = fs::weakly_canonical(fs::absolute(store, error), error);
  if (std::mismatch(forbidden.begin(), forbidden.end(), place.begin(), place.end()).first ==
      forbidden.end()) {
    return bad("it lies within the store itself");
  }
  // It is made with the first backup, but not what it lies in.
  const bool exists = fs::exists(place, error);
  const fs::path parent = exists ? place : place.parent_path();
  if (!fs::is_directory(parent, error)) {
    return bad(absl::StrCat(parent.string(), " is not a directory"));
  }
  if (access(parent.c_str(), W_OK | X_OK) != 0) {
    return bad(absl::StrCat(parent.string(), " can't be written to: ", strerror(errno)));
  }
  return absl::OkStatus();
}

BackupMaker::BackupMaker(Options options) : options_(std::move(options)) {
  std::error_code error;
  if (!options_.backup_dir.empty()) {
    options_.backup_dir = fs::absolute(options_.backup_dir, error).lexically_normal();
  }
}

BackupMaker::~BackupMaker() {
  std::thread last;
  {
    absl::MutexLock lock(&mutex_);
    last = std::move(thread_);
  }
  if (last.joinable()) last.join();
}

void BackupMaker::Make(const admin::v1::BackupRequest& request,
                       Done<admin::v1::BackupResponse> done) {
  absl::StatusOr<std::string> name = NameOf(request.directory());
  if (!name.ok()) return std::move(done)(name.status());
  {
    absl::MutexLock lock(&mutex_);
    if (!running_) {
      running_ = true;
      // It has nothing left to do but to end.
      if (thread_.joinable()) thread_.join();
      thread_ = std::thread([this, name = *std::move(name), done = std::move(done)]() mutable {
        absl::StatusOr<admin::v1::BackupResponse> made = Run(name);
        if (made.ok()) {
          LogInfo("backup_made", {{"directory", made->directory()}, {"bytes", made->bytes()}});
        } else {
          LogError("backup_failed", {{"error", made.status().message()}});
        }
        {
          absl::MutexLock lock(&mutex_);
          running_ = false;
        }
        std::move(done)(std::move(made));
      });
      return;
    }
  }
  std::move(done)(MakeError(absl::StatusCode::kFailedPrecondition, "BACKUP_RUNNING",
                            "another backup is being made: try again when it is done"));
}

absl::StatusOr<std::string> BackupMaker::NameOf(absl::string_view directory) const {
  if (options_.backup_dir.empty()) return BackupsOffError();
  std::string name(directory);
  if (!directory.empty() && directory.front() == '/') {
    const fs::path path = fs::path(name).lexically_normal();
    if (path.parent_path() != fs::path(options_.backup_dir)) name.clear();
    if (!name.empty()) name = path.filename();
  }
  if (IsName(name)) return name;
  return WithField(
      MakeError(absl::StatusCode::kInvalidArgument, "BAD_BACKUP_DIRECTORY",
                absl::StrCat("a backup is a new directory right below the server's --backup_dir, ",
                             options_.backup_dir, ": its name has 1 to ", kMaxNameBytes,
                             " characters of [a-zA-Z0-9._-] and no dot in front")),
      "directory");
}

absl::StatusOr<admin::v1::BackupResponse> BackupMaker::Run(const std::string& name) const {
  const std::string directory = absl::StrCat(options_.backup_dir, "/", name);
  const std::string unfinished = absl::StrCat(options_.backup_dir, "/.", name, kUnfinished);
  std::error_code error;
  if (fs::exists(directory, error)) {
    return MakeError(absl::StatusCode::kAlreadyExists, "BACKUP_EXISTS",
                     absl::StrCat("there is already ", directory, ": choose another name"));
  }
  const absl::Cleanup remove = [&] { fs::remove_all(unfinished, error); };
  absl::StatusOr<admin::v1::BackupResponse> made = Fill(unfinished);
  absl::Status status = made.status();
  if (status.ok()) status = RenameDurably(unfinished, directory);
  if (!status.ok()) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "BACKUP_FAILED",
                     absl::StrCat("there is no backup ", directory, ": ", status.message()));
  }
  made->set_directory(directory);
  return made;
}

absl::StatusOr<admin::v1::BackupResponse> BackupMaker::Fill(const std::string& directory) const {
  BELLWIRE_RETURN_IF_ERROR(MakeDirectory(options_.backup_dir));
  RemoveUnfinished(options_.backup_dir);
  BELLWIRE_RETURN_IF_ERROR(MakeDirectory(directory));
  const DataDir backup(directory);
  BELLWIRE_RETURN_IF_ERROR(options_.checkpoint(backup.registry()));
  // After the store: whatever key sealed a token that is in it is there by now.
  for (const std::string& file : DataDir::KeyFiles()) {
    const std::string source = absl::StrCat(options_.data_dir.path(), "/", file);
    if (!HasContents(source)) continue;
    BELLWIRE_RETURN_IF_ERROR(CopyFileDurably(source, absl::StrCat(directory, "/", file)));
  }
  // Without it every token of the store is dead.
  BELLWIRE_RETURN_IF_ERROR(ReadPrivateFile(backup.token_keys()).status());
  admin::v1::BackupResponse response;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory, error)) {
    if (!entry.is_regular_file(error)) continue;
    response.set_files(response.files() + 1);
    response.set_bytes(response.bytes() + entry.file_size(error));
  }
  return response;
}

}  // namespace bellwire::registry
