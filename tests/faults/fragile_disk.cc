#include "tests/faults/fragile_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace bellwire::tests {
namespace {

// How often something reaches the disk although nobody synced it.
constexpr double kWriteBackChance = 0.25;

int WriteFully(int fd, uint64_t offset, absl::string_view data) {
  while (!data.empty()) {
    const ssize_t n = pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    data.remove_prefix(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return 0;
}

}  // namespace

// Guarded by the disk's mutex.
class FragileDisk::File {
 public:
  File(int fd, std::string real_path, uint64_t durable)
      : fd(fd), real_path(std::move(real_path)), durable(durable) {}
  ~File() { close(fd); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  const int fd;
  // Where its durable bytes are, while its creation is not durable.
  const std::string real_path;
  uint64_t durable;
  // Appended, and not on the disk.
  std::string tail;
};

FragileDisk::FragileDisk(const Options& options)
    : options_(options), limbo_(options.root + ".limbo"), random_(options.seed) {
  std::error_code ignored;
  std::filesystem::remove_all(limbo_, ignored);
  std::filesystem::create_directories(limbo_, ignored);
  std::filesystem::create_directories(options_.root, ignored);
  absl::MutexLock lock(&mutex_);
  for (const auto& entry : std::filesystem::directory_iterator(options_.root, ignored)) {
    if (!entry.is_regular_file(ignored)) continue;
    const std::string path = entry.path().string();
    const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) continue;
    files_[path] = std::make_shared<File>(fd, path, static_cast<uint64_t>(status.st_size));
  }
}

FragileDisk::~FragileDisk() = default;

bool FragileDisk::Below(const std::string& path) const {
  return absl::StartsWith(path, options_.root + "/") &&
         path.find('/', options_.root.size() + 1) == std::string::npos;
}

bool FragileDisk::Chance(double probability) {
  return std::uniform_real_distribution<double>(0, 1)(random_) < probability;
}

size_t FragileDisk::UpTo(size_t n) { return std::uniform_int_distribution<size_t>(0, n)(random_); }

int FragileDisk::Create(const std::string& path, std::shared_ptr<File>* file) {
  absl::MutexLock lock(&mutex_);
  if (!power_) return EIO;
  if (!Below(path)) return EINVAL;
  const std::string real_path = absl::StrCat(limbo_, "/", created_++);
  const int fd = open(real_path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  *file = std::make_shared<File>(fd, real_path, 0);
  files_[path] = *file;
  Note({.kind = Change::kCreate, .path = path, .file = *file});
  return 0;
}

int FragileDisk::Open(const std::string& path, std::shared_ptr<File>* file) {
  absl::MutexLock lock(&mutex_);
  if (!power_) return EIO;
  const auto found = files_.find(path);
  if (found == files_.end()) return ENOENT;
  *file = found->second;
  return 0;
}

int FragileDisk::Remove(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  if (!power_) return EIO;
  if (files_.erase(path) == 0) return ENOENT;
  Note({.kind = Change::kRemove, .path = path});
  return 0;
}

int FragileDisk::Rename(const std::string& from, const std::string& to) {
  absl::MutexLock lock(&mutex_);
  if (!power_) return EIO;
  if (!Below(to)) return EINVAL;
  const auto found = files_.find(from);
  if (found == files_.end()) return ENOENT;
  const std::shared_ptr<File> file = found->second;
  files_.erase(found);
  files_[to] = file;
  Note({.kind = Change::kRename, .path = to, .from = from});
  return 0;
}

void FragileDisk::Note(Change change) {
  changes_.push_back(std::move(change));
  if (Chance(kWriteBackChance)) ApplyChanges(UpTo(changes_.size()));
}

int FragileDisk::ApplyChanges(size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const Change& change = changes_[i];
    const std::string& from = change.kind == Change::kCreate ? change.file->real_path : change.from;
    const int result = change.kind == Change::kRemove ? unlink(change.path.c_str())
                                                      : rename(from.c_str(), change.path.c_str());
    if (result != 0) return errno;
  }
  changes_.erase(changes_.begin(), changes_.begin() + static_cast<std::ptrdiff_t>(count));
  return 0;
}

int FragileDisk::SyncDirectory() {
  TakeTime();
  absl::MutexLock lock(&mutex_);
  if (!power_ || failing_syncs_) return EIO;
  return ApplyChanges(changes_.size());
}

bool FragileDisk::Exists(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  return power_ && files_.count(path) != 0;
}

std::vector<std::string> FragileDisk::List() {
  absl::MutexLock lock(&mutex_);
  std::vector<std::string> names;
  for (const auto& [path, file] : files_) names.push_back(path.substr(options_.root.size() + 1));
  return names;
}

int FragileDisk::WriteBack(File* file, size_t bytes) {
  if (int error =
          WriteFully(file->fd, file->durable, absl::string_view(file->tail).substr(0, bytes));
      error != 0) {
    return error;
  }
  file->durable += bytes;
  file->tail.erase(0, bytes);
  return 0;
}

int FragileDisk::Append(File* file, absl::string_view data) {
  absl::MutexLock lock(&mutex_);
  if (!power_) return EIO;
  const size_t taken = free_bytes_.has_value()
                           ? static_cast<size_t>(std::min<uint64_t>(*free_bytes_, data.size()))
                           : data.size();
  if (free_bytes_.has_value()) *free_bytes_ -= taken;
  file->tail.append(data.data(), taken);
  if (Chance(kWriteBackChance)) {
    if (int error = WriteBack(file, UpTo(file->tail.size())); error != 0) return error;
  }
  return taken == data.size() ? 0 : ENOSPC;
}

int FragileDisk::Sync(File* file) {
  TakeTime();
  absl::MutexLock lock(&mutex_);
  if (!power_ || failing_syncs_) return EIO;
  return WriteBack(file, file->tail.size());
}

int FragileDisk::Truncate(File* file, uint64_t size) {
  absl::MutexLock lock(&mutex_);
  if (!power_) return EIO;
  if (size >= file->durable) {
    file->tail.resize(size - file->durable);
    return 0;
  }
  if (ftruncate(file->fd, static_cast<off_t>(size)) != 0) return errno;
  file->durable = size;
  file->tail.clear();
  return 0;
}

int FragileDisk::Read(File* file, uint64_t offset, size_t size, char* buffer, size_t* got) {
  absl::MutexLock lock(&mutex_);
  *got = 0;
  if (!power_ || failing_reads_) return EIO;
  while (*got < size && offset + *got < file->durable) {
    const size_t wanted = std::min<uint64_t>(size - *got, file->durable - offset - *got);
    const ssize_t n = pread(file->fd, buffer + *got, wanted, static_cast<off_t>(offset + *got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) return EIO;  // The real file is shorter than it was.
    *got += static_cast<size_t>(n);
  }
  const uint64_t position = offset + *got;
  if (*got < size && position >= file->durable && position < file->durable + file->tail.size()) {
    const absl::string_view rest =
        absl::string_view(file->tail).substr(position - file->durable, size - *got);
    memcpy(buffer + *got, rest.data(), rest.size());
    *got += rest.size();
  }
  return 0;
}

uint64_t FragileDisk::Size(File* file) {
  absl::MutexLock lock(&mutex_);
  return file->durable + file->tail.size();
}

void FragileDisk::TakeTime() {
  if (options_.sync_latency <= absl::ZeroDuration()) return;
  const timespec latency = absl::ToTimespec(options_.sync_latency);
  ppoll(nullptr, 0, &latency, nullptr);
}

void FragileDisk::CutPower() {
  absl::MutexLock lock(&mutex_);
  if (!power_) return;
  power_ = false;
  ApplyChanges(UpTo(changes_.size()));
  for (const auto& [path, file] : files_) WriteBack(file.get(), UpTo(file->tail.size()));
}

void FragileDisk::SetFreeBytes(std::optional<uint64_t> bytes) {
  absl::MutexLock lock(&mutex_);
  free_bytes_ = bytes;
}

void FragileDisk::SetFailingReads(bool failing) {
  absl::MutexLock lock(&mutex_);
  failing_reads_ = failing;
}

void FragileDisk::SetFailingSyncs(bool failing) {
  absl::MutexLock lock(&mutex_);
  failing_syncs_ = failing;
}

bool FlipBit(const std::string& path, uint64_t bit) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return false;
  const auto offset = static_cast<off_t>(bit / 8);
  unsigned char byte = 0;
  bool flipped = pread(fd, &byte, 1, offset) == 1;
  byte = static_cast<unsigned char>(byte ^ (1u << (bit % 8)));
  flipped = flipped && pwrite(fd, &byte, 1, offset) == 1;
  close(fd);
  return flipped;
}

}  // namespace bellwire::tests
