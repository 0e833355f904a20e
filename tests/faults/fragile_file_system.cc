#include "tests/faults/fragile_file_system.h"

#include <errno.h>
#include <string.h>

#include <string>
#include <utility>
#include <vector>

#include "rocksdb/file_system.h"
#include "rocksdb/io_status.h"

namespace bellwire::tests {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus ToIOStatus(int error, const std::string& what) {
  switch (error) {
    case 0:
      return IOStatus::OK();
    case ENOENT:
      return IOStatus::PathNotFound(what, strerror(error));
    case ENOSPC:
      return IOStatus::NoSpace(what, strerror(error));
    default:
      return IOStatus::IOError(what, strerror(error));
  }
}

class SequentialFile final : public rocksdb::FSSequentialFile {
 public:
  SequentialFile(FragileDisk* disk, std::shared_ptr<FragileDisk::File> file)
      : disk_(disk), file_(std::move(file)) {}

  IOStatus Read(size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) override {
    size_t got = 0;
    const int error = disk_->Read(file_.get(), offset_, n, scratch, &got);
    offset_ += got;
    *result = Slice(scratch, got);
    return ToIOStatus(error, "read");
  }
  IOStatus Skip(uint64_t n) override {
    offset_ += n;
    return IOStatus::OK();
  }

 private:
  FragileDisk* const disk_;
  const std::shared_ptr<FragileDisk::File> file_;
  uint64_t offset_ = 0;
};

class RandomAccessFile final : public rocksdb::FSRandomAccessFile {
 public:
  RandomAccessFile(FragileDisk* disk, std::shared_ptr<FragileDisk::File> file)
      : disk_(disk), file_(std::move(file)) {}

  IOStatus Read(uint64_t offset, size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    size_t got = 0;
    const int error = disk_->Read(file_.get(), offset, n, scratch, &got);
    *result = Slice(scratch, got);
    return ToIOStatus(error, "read");
  }

 private:
  FragileDisk* const disk_;
  const std::shared_ptr<FragileDisk::File> file_;
};

class WritableFile final : public rocksdb::FSWritableFile {
 public:
  WritableFile(FragileDisk* disk, std::shared_ptr<FragileDisk::File> file,
               const FileOptions& options)
      : FSWritableFile(options), disk_(disk), file_(std::move(file)) {}

  using FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    return ToIOStatus(disk_->Append(file_.get(), absl::string_view(data.data(), data.size())),
                      "append");
  }
  IOStatus Truncate(uint64_t size, const IOOptions&, IODebugContext*) override {
    return ToIOStatus(disk_->Truncate(file_.get(), size), "truncate");
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    return ToIOStatus(disk_->Sync(file_.get()), "sync");
  }
  bool IsSyncThreadSafe() const override { return true; }
  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override {
    return disk_->Size(file_.get());
  }

 private:
  FragileDisk* const disk_;
  const std::shared_ptr<FragileDisk::File> file_;
};

class Directory final : public rocksdb::FSDirectory {
 public:
  explicit Directory(FragileDisk* disk) : disk_(disk) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    return ToIOStatus(disk_->SyncDirectory(), "sync of the directory");
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  FragileDisk* const disk_;
};

class FragileFileSystem final : public rocksdb::FileSystem {
 public:
  explicit FragileFileSystem(FragileDisk* disk)
      : disk_(disk), machine_(rocksdb::FileSystem::Default()) {}

  const char* Name() const override { return "FragileFileSystem"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions&,
                             std::unique_ptr<rocksdb::FSSequentialFile>* result,
                             IODebugContext*) override {
    std::shared_ptr<FragileDisk::File> file;
    const int error = disk_->Open(path, &file);
    result->reset(error == 0 ? new SequentialFile(disk_, std::move(file)) : nullptr);
    return ToIOStatus(error, path);
  }
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions&,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                               IODebugContext*) override {
    std::shared_ptr<FragileDisk::File> file;
    const int error = disk_->Open(path, &file);
    result->reset(error == 0 ? new RandomAccessFile(disk_, std::move(file)) : nullptr);
    return ToIOStatus(error, path);
  }
  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext*) override {
    std::shared_ptr<FragileDisk::File> file;
    const int error = disk_->Create(path, &file);
    result->reset(error == 0 ? new WritableFile(disk_, std::move(file), options) : nullptr);
    return ToIOStatus(error, path);
  }
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions& options,
                              std::unique_ptr<rocksdb::FSWritableFile>* result,
                              IODebugContext* debug) override {
    std::shared_ptr<FragileDisk::File> file;
    const int error = disk_->Open(path, &file);
    if (error == ENOENT) return NewWritableFile(path, options, result, debug);
    result->reset(error == 0 ? new WritableFile(disk_, std::move(file), options) : nullptr);
    return ToIOStatus(error, path);
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions&,
                        std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext*) override {
    if (!IsRoot(path)) return IOStatus::NotSupported("a directory off the disk", path);
    result->reset(new Directory(disk_));
    return IOStatus::OK();
  }

  IOStatus NewLogger(const std::string& path, const IOOptions&, std::shared_ptr<rocksdb::Logger>*,
                     IODebugContext*) override {
    return IOStatus::NotSupported("RocksDB is to write no log of its own", path);
  }

  IOStatus FileExists(const std::string& path, const IOOptions& options,
                      IODebugContext* debug) override {
    if (IsRoot(path)) return machine_->FileExists(path, options, debug);
    return disk_->Exists(path) ? IOStatus::OK() : IOStatus::NotFound(path);
  }
  IOStatus GetChildren(const std::string& path, const IOOptions&, std::vector<std::string>* result,
                       IODebugContext*) override {
    if (!IsRoot(path)) return IOStatus::NotFound(path);
    *result = disk_->List();
    return IOStatus::OK();
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
    return ToIOStatus(disk_->Remove(path), path);
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&,
                      IODebugContext*) override {
    return ToIOStatus(disk_->Rename(from, to), from);
  }
  IOStatus Truncate(const std::string& path, size_t size, const IOOptions&,
                    IODebugContext*) override {
    std::shared_ptr<FragileDisk::File> file;
    int error = disk_->Open(path, &file);
    if (error == 0) error = disk_->Truncate(file.get(), size);
    return ToIOStatus(error, path);
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions&, uint64_t* size,
                       IODebugContext*) override {
    std::shared_ptr<FragileDisk::File> file;
    const int error = disk_->Open(path, &file);
    *size = error == 0 ? disk_->Size(file.get()) : 0;
    return ToIOStatus(error, path);
  }
  IOStatus GetFileModificationTime(const std::string& path, const IOOptions&, uint64_t* time_s,
                                   IODebugContext*) override {
    // Nothing that RocksDB promises depends on it.
    *time_s = 0;
    return disk_->Exists(path) ? IOStatus::OK() : IOStatus::PathNotFound(path);
  }

  IOStatus CreateDir(const std::string& path, const IOOptions& options,
                     IODebugContext* debug) override {
    return machine_->CreateDir(path, options, debug);
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions& options,
                              IODebugContext* debug) override {
    return machine_->CreateDirIfMissing(path, options, debug);
  }
  IOStatus DeleteDir(const std::string& path, const IOOptions& options,
                     IODebugContext* debug) override {
    return machine_->DeleteDir(path, options, debug);
  }
  IOStatus LockFile(const std::string& path, const IOOptions& options, rocksdb::FileLock** lock,
                    IODebugContext* debug) override {
    return machine_->LockFile(path, options, lock, debug);
  }
  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions& options,
                      IODebugContext* debug) override {
    return machine_->UnlockFile(lock, options, debug);
  }
  IOStatus GetTestDirectory(const IOOptions& options, std::string* path,
                            IODebugContext* debug) override {
    return machine_->GetTestDirectory(options, path, debug);
  }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions& options, std::string* result,
                           IODebugContext* debug) override {
    return machine_->GetAbsolutePath(path, options, result, debug);
  }
  IOStatus GetFreeSpace(const std::string& path, const IOOptions& options, uint64_t* bytes,
                        IODebugContext* debug) override {
    return machine_->GetFreeSpace(path, options, bytes, debug);
  }
  IOStatus IsDirectory(const std::string& path, const IOOptions& options, bool* is_directory,
                       IODebugContext* debug) override {
    return machine_->IsDirectory(path, options, is_directory, debug);
  }

 private:
  // RocksDB writes it with a slash at times.
  bool IsRoot(const std::string& path) const {
    return path == disk_->root() || path == disk_->root() + "/";
  }

  FragileDisk* const disk_;
  const std::shared_ptr<rocksdb::FileSystem> machine_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> NewFragileEnv(FragileDisk* disk) {
  return rocksdb::NewCompositeEnv(std::make_shared<FragileFileSystem>(disk));
}

}  // namespace bellwire::tests
