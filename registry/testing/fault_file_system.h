#ifndef BELLWIRE_REGISTRY_TESTING_FAULT_FILE_SYSTEM_H_
#define BELLWIRE_REGISTRY_TESTING_FAULT_FILE_SYSTEM_H_

#include <atomic>
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
    // Nothing more can be written or made: a full disk.
    kNoSpace,
    // Writes go through and syncs fail: a dying disk.
    kSyncFails,
  };

  FaultFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "FaultFileSystem"; }

  void set_fault(Fault fault) { fault_ = fault; }
  Fault fault() const { return fault_; }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override;

 private:
  std::atomic<Fault> fault_ = Fault::kNone;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TESTING_FAULT_FILE_SYSTEM_H_
