#include "registry/sealing/payload_key_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/log.h"

namespace bellwire::registry {

namespace fs = std::filesystem;

PayloadKeyFile::Version PayloadKeyFile::VersionNow() const {
  struct stat found;
  if (stat(path_.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino, found.st_size,
          int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec};
}

absl::StatusOr<std::shared_ptr<const PayloadKeys>> PayloadKeyFile::Read() {
  // Before it is read: a change in between is seen the next time.
  version_ = VersionNow();
  return PayloadKeys::FromFile(path_);
}

std::shared_ptr<const PayloadKeys> PayloadKeyFile::ReadIfChanged() {
  if (VersionNow() == version_) return nullptr;
  absl::StatusOr<std::shared_ptr<const PayloadKeys>> keys = Read();
  if (keys.ok()) return *std::move(keys);
  LogWarning("payload_keys_not_read", {{"error", keys.status().message()},
                                       {"to_do", "the keys from before are used on"}});
  return nullptr;
}

absl::Status CheckOutside(const std::string& key_file,
                          const std::vector<std::string>& directories) {
  std::error_code error;
  const fs::path file = fs::weakly_canonical(fs::absolute(key_file, error), error);
  for (const std::string& directory : directories) {
    if (directory.empty()) continue;
    const fs::path forbidden = fs::weakly_canonical(fs::absolute(directory, error), error);
    if (std::mismatch(forbidden.begin(), forbidden.end(), file.begin(), file.end()).first !=
        forbidden.end()) {
      continue;
    }
    return MakeError(
        absl::StatusCode::kFailedPrecondition, "PAYLOAD_KEY_FILE_INSIDE",
        absl::StrCat("the payload key file ", key_file, " lies in ", directory,
                     ": whoever takes the directory would have both. Put it elsewhere, such as "
                     "/etc/bellwire/payload.keys"));
  }
  return absl::OkStatus();
}

}  // namespace bellwire::registry
