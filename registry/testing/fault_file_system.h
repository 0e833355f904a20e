#ifndef BELLWIRE_REGISTRY_TESTING_FAULT_FILE_SYSTEM_H_
#define BELLWIRE_REGISTRY_TESTING_FAULT_FILE_SYSTEM_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "rocksdb/env.h"
#include "rocksdb/file_system.h"

namespace bellwire::registry {

// The machine's files, and a disk that fails on command. Thread-safe, as RocksDB's background
// threads use it too.
class FaultFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  enum class Fault {
    kNone,
    // Nothing more can be written or made: a full disk (ENOSPC).
    kNoSpace,
    // Writes go through and syncs fail: a dying disk (EIO).
    kSyncFails,
    // Nothing can be changed: the system has mounted the disk read-only (EROFS).
    kReadOnly,
  };

  FaultFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "FaultFileSystem"; }

  // From the next operation on.
  void set_fault(Fault fault) { SetFaultAfter(fault, 0); }
  // From the operation on that comes after `changes` more of those that change the disk.
  void SetFaultAfter(Fault fault, uint64_t changes) {
    fault_ = Fault::kNone;
    begins_at_ = changes_ + changes;
    fault_ = fault;
  }
  // Operations that would change the disk, so far.
  uint64_t changes() const { return changes_; }

  // What an operation does to the disk.
  enum class Change { kCreate, kAppend, kSync, kName };
  // Counts the operation. An error: it fails.
  rocksdb::IOStatus Note(Change change);

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* result,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  // A log that RocksDB would write past this file system: no program of ours lets it.
  rocksdb::IOStatus NewLogger(const std::string& name, const rocksdb::IOOptions&,
                              std::shared_ptr<rocksdb::Logger>*,
                              rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::NotSupported("RocksDB is to write no log of its own", name);
  }

 private:
  std::atomic<Fault> fault_ = Fault::kNone;
  std::atomic<uint64_t> begins_at_ = 0;
  std::atomic<uint64_t> changes_ = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TESTING_FAULT_FILE_SYSTEM_H_
