#include "cli/doctor/checks/file_checks.h"

#include <string.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace bellwire::cli {
namespace {

std::string RenderBytes(uint64_t bytes) {
  constexpr double kKi = 1024;
  const auto n = static_cast<double>(bytes);
  if (n < kKi * kKi) return absl::StrFormat("%.0f KiB", n / kKi);
  if (n < kKi * kKi * kKi) return absl::StrFormat("%.0f MiB", n / kKi / kKi);
  return absl::StrFormat("%.1f GiB", n / kKi / kKi / kKi);
}

constexpr char kMakeRoom[] =
    "make room (`du -xh --max-depth=2 / | sort -h`), or give it a larger disk";

}  // namespace

void CheckDisk(Part part, const DiskFacts& disk, Findings* findings) {
  if (disk.error != 0) return;  // The directory itself is missing, which others say.
  const auto say = [&](Severity severity, std::string cause, std::string what, std::string to_do) {
    findings->push_back(
        {part, severity, std::move(cause), disk.path, std::move(what), std::move(to_do)});
  };
  if (disk.read_only) {
    say(Severity::kProblem, "DISK_READ_ONLY",
        absl::StrCat("the file system of ", disk.path, " is read-only"),
        "the kernel does this when a disk fails: see `dmesg`; after that, mount it writable again");
  }
  if (disk.free_bytes < kFullBelowBytes) {
    say(Severity::kProblem, "DISK_FULL",
        absl::StrCat("the disk of ", disk.path, " is full: ", RenderBytes(disk.free_bytes), " of ",
                     RenderBytes(disk.total_bytes), " are free"),
        kMakeRoom);
  } else if (disk.free_bytes < kNearlyFullBelowBytes &&
             static_cast<double>(disk.free_bytes) <
                 kNearlyFullBelow * static_cast<double>(disk.total_bytes)) {
    say(Severity::kWarning, "DISK_NEARLY_FULL",
        absl::StrCat("the disk of ", disk.path, " has ", RenderBytes(disk.free_bytes), " of ",
                     RenderBytes(disk.total_bytes), " left"),
        kMakeRoom);
  }
  if (disk.total_inodes > 0 && disk.free_inodes < kInodesUsedUpBelow) {
    say(Severity::kProblem, "INODES_USED_UP",
        absl::StrCat("the file system of ", disk.path, " takes ", disk.free_inodes,
                     " more files, though it has room (`df -i`)"),
        "remove files, or give it a file system that was made with more inodes");
  }
}

void CheckPrivate(Part part, const FileFacts& file, const std::string& cause, Findings* findings) {
  if (!file.exists() || (file.mode & (S_IRWXG | S_IRWXO)) == 0) return;
  const bool directory = S_ISDIR(file.mode);
  findings->push_back(
      {part, directory ? Severity::kWarning : Severity::kProblem, cause, file.path,
       absl::StrCat("others than its owner may use ", file.path, " (mode ",
                    absl::StrFormat("%04o", file.mode & 07777), ")",
                    directory ? "" : ", so it is refused at the next start"),
       absl::StrCat("chmod ", directory ? "700 " : "600 ", file.path,
                    directory ? "" : "; if others could log in here, treat the secret as stolen")});
}

}  // namespace bellwire::cli
