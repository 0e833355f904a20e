#ifndef BELLWIRE_TESTS_FAULTS_FRAGILE_DISK_H_
#define BELLWIRE_TESTS_FAULTS_FRAGILE_DISK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace bellwire::tests {

// A directory on a disk that keeps only what was synced. At any moment the real directory below
// holds what would be there after a power cut, so SIGKILL of the process *is* a power cut, and
// CutPower() is one within the process. Faults can be switched on: no space, failing reads, failing
// syncs.
//
// The model is what POSIX promises and no more, the part of it that a careful program may rely on:
//   * Appended bytes live in this process's memory until File::Sync(). Before that, any prefix of
//     them may reach the disk by itself (a torn write); which, is drawn from the seed.
//   * Create, Rename and Remove live in memory until SyncDirectory(). Before that, the first few of
//     them may reach the disk by themselves, in order. A file that was synced but whose creation
//     was not is gone after a cut.
//   * Overwriting in place does not exist. Truncation is durable at once.
// What it leaves out: bytes that reach the disk without those before them, and a sync that lies.
//
// Functions return 0 or an errno. Paths are "ROOT/NAME": there are no subdirectories. Thread-safe.
class FragileDisk {
 public:
  struct Options {
    // The real directory; made if it does not exist. What it holds is durable. "ROOT.limbo" beside
    // it holds the contents of files whose creation is not durable, and is emptied by the next disk
    // on ROOT.
    std::string root;
    uint64_t seed = 0;
    // How long a sync takes: while it runs the bytes are at risk, as on a real disk.
    absl::Duration sync_latency = absl::ZeroDuration();
  };

  // An open file, or several openings of it. Lives as long as somebody holds it, even when removed.
  class File;

  explicit FragileDisk(const Options& options);
  ~FragileDisk();
  FragileDisk(const FragileDisk&) = delete;
  FragileDisk& operator=(const FragileDisk&) = delete;

  // A new empty file of this name; one that had the name before loses it.
  int Create(const std::string& path, std::shared_ptr<File>* file);
  // ENOENT if there is none.
  int Open(const std::string& path, std::shared_ptr<File>* file);
  int Remove(const std::string& path);
  int Rename(const std::string& from, const std::string& to);
  // Makes every Create, Rename and Remove so far durable.
  int SyncDirectory();
  bool Exists(const std::string& path);
  // Names, without the root.
  std::vector<std::string> List();
  const std::string& root() const { return options_.root; }

  int Append(File* file, absl::string_view data);
  int Sync(File* file);
  int Truncate(File* file, uint64_t size);
  // Reads up to `size` bytes; less at the end of the file.
  int Read(File* file, uint64_t offset, size_t size, char* buffer, size_t* got);
  uint64_t Size(File* file);

  // From now on every operation fails with EIO and nothing more reaches the disk, except for a last
  // torn piece of what was under way.
  void CutPower();
  // How many more bytes can be appended to all files together; what fits of an Append is taken, and
  // the rest fails with ENOSPC. nullopt: no end of them.
  void SetFreeBytes(std::optional<uint64_t> bytes);
  // Reads fail with EIO.
  void SetFailingReads(bool failing);
  // Syncs, of files and of the directory, fail with EIO; what was to be synced stays at risk.
  void SetFailingSyncs(bool failing);

 private:
  // Applied to the real directory in order.
  struct Change {
    enum Kind { kCreate, kRename, kRemove };
    Kind kind;
    std::string path;
    std::string from;            // kRename
    std::shared_ptr<File> file;  // kCreate
  };

  bool Below(const std::string& path) const;
  bool Chance(double probability) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  size_t UpTo(size_t n) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Note(Change change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int WriteBack(File* file, size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int ApplyChanges(size_t count) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Lets the time of a sync pass, without the lock.
  void TakeTime();

  const Options options_;
  const std::string limbo_;
  absl::Mutex mutex_;
  std::mt19937_64 random_ ABSL_GUARDED_BY(mutex_);
  bool power_ ABSL_GUARDED_BY(mutex_) = true;
  bool failing_reads_ ABSL_GUARDED_BY(mutex_) = false;
  bool failing_syncs_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<uint64_t> free_bytes_ ABSL_GUARDED_BY(mutex_);
  uint64_t created_ ABSL_GUARDED_BY(mutex_) = 0;
  // What the process sees, by path.
  std::map<std::string, std::shared_ptr<File>> files_ ABSL_GUARDED_BY(mutex_);
  // What the real directory lacks of it.
  std::vector<Change> changes_ ABSL_GUARDED_BY(mutex_);
};

// Inverts one bit of a real file, as a bad disk would. Bits count from the first byte's lowest one.
// False if it can't.
bool FlipBit(const std::string& path, uint64_t bit);

}  // namespace bellwire::tests

#endif  // BELLWIRE_TESTS_FAULTS_FRAGILE_DISK_H_
