#include "registry/testing/fault_file_system.h"

#include <utility>

namespace bellwire::registry {
namespace {

using Change = FaultFileSystem::Change;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

class FaultFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FaultFile(std::unique_ptr<rocksdb::FSWritableFile> file, FaultFileSystem* file_system)
      : FSWritableFileOwnerWrapper(std::move(file)), file_system_(file_system) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    const IOStatus fault = file_system_->Note(Change::kAppend);
    return fault.ok() ? FSWritableFileOwnerWrapper::Append(data, options, debug) : fault;
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& info, IODebugContext* debug) override {
    const IOStatus fault = file_system_->Note(Change::kAppend);
    return fault.ok() ? FSWritableFileOwnerWrapper::Append(data, options, info, debug) : fault;
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    const IOStatus fault = file_system_->Note(Change::kSync);
    return fault.ok() ? FSWritableFileOwnerWrapper::Sync(options, debug) : fault;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    const IOStatus fault = file_system_->Note(Change::kSync);
    return fault.ok() ? FSWritableFileOwnerWrapper::Fsync(options, debug) : fault;
  }
  IOStatus RangeSync(uint64_t offset, uint64_t bytes, const IOOptions& options,
                     IODebugContext* debug) override {
    const IOStatus fault = file_system_->Note(Change::kSync);
    return fault.ok() ? FSWritableFileOwnerWrapper::RangeSync(offset, bytes, options, debug)
                      : fault;
  }

 private:
  FaultFileSystem* const file_system_;
};

class FaultDirectory final : public rocksdb::FSDirectoryWrapper {
 public:
  FaultDirectory(std::unique_ptr<rocksdb::FSDirectory> directory, FaultFileSystem* file_system)
      : FSDirectoryWrapper(std::move(directory)), file_system_(file_system) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    const IOStatus fault = file_system_->Note(Change::kSync);
    return fault.ok() ? FSDirectoryWrapper::Fsync(options, debug) : fault;
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& how) override {
    const IOStatus fault = file_system_->Note(Change::kSync);
    return fault.ok() ? FSDirectoryWrapper::FsyncWithDirOptions(options, debug, how) : fault;
  }

 private:
  FaultFileSystem* const file_system_;
};

}  // namespace

IOStatus FaultFileSystem::Note(Change change) {
  const bool begun = changes_++ >= begins_at_;
  if (!begun) return IOStatus::OK();
  switch (fault_) {
    case Fault::kNone:
      return IOStatus::OK();
    case Fault::kNoSpace:
      return change == Change::kCreate || change == Change::kAppend ? IOStatus::NoSpace("injected")
                                                                    : IOStatus::OK();
    case Fault::kSyncFails:
      return change == Change::kSync ? IOStatus::IOError("injected") : IOStatus::OK();
    case Fault::kReadOnly:
      return IOStatus::IOError("injected", "Read-only file system");
  }
  return IOStatus::OK();
}

IOStatus FaultFileSystem::NewWritableFile(const std::string& name,
                                          const rocksdb::FileOptions& options,
                                          std::unique_ptr<rocksdb::FSWritableFile>* result,
                                          IODebugContext* debug) {
  if (const IOStatus fault = Note(Change::kCreate); !fault.ok()) return fault;
  std::unique_ptr<rocksdb::FSWritableFile> file;
  const IOStatus status = FileSystemWrapper::NewWritableFile(name, options, &file, debug);
  if (status.ok()) *result = std::make_unique<FaultFile>(std::move(file), this);
  return status;
}

IOStatus FaultFileSystem::NewDirectory(const std::string& name, const IOOptions& options,
                                       std::unique_ptr<rocksdb::FSDirectory>* result,
                                       IODebugContext* debug) {
  std::unique_ptr<rocksdb::FSDirectory> directory;
  const IOStatus status = FileSystemWrapper::NewDirectory(name, options, &directory, debug);
  if (status.ok()) *result = std::make_unique<FaultDirectory>(std::move(directory), this);
  return status;
}

IOStatus FaultFileSystem::DeleteFile(const std::string& name, const IOOptions& options,
                                     IODebugContext* debug) {
  const IOStatus fault = Note(Change::kName);
  return fault.ok() ? FileSystemWrapper::DeleteFile(name, options, debug) : fault;
}

IOStatus FaultFileSystem::RenameFile(const std::string& from, const std::string& to,
                                     const IOOptions& options, IODebugContext* debug) {
  const IOStatus fault = Note(Change::kName);
  return fault.ok() ? FileSystemWrapper::RenameFile(from, to, options, debug) : fault;
}

}  // namespace bellwire::registry
