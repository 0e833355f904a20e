#ifndef BELLWIRE_REGISTRY_ENGINE_ROCKSDB_GRADUAL_DELETION_H_
#define BELLWIRE_REGISTRY_ENGINE_ROCKSDB_GRADUAL_DELETION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "rocksdb/file_system.h"

namespace bellwire::registry {

// Deletes large files in steps of 4 MiB, so that one unlink never blocks a sync. A file system that
// gives back half a gigabyte in one transaction makes every sync meanwhile wait for it: ext4,
// mounted with `discard`, held one up for 80 ms. RocksDB's SstFileManager does the same at a fixed
// rate and under a second name, which the checks at the start would have to know.
//
// Works on files of the machine's own disk. Files of another file system beneath are deleted at
// once. Thread-safe.
class GradualDeletion final : public rocksdb::FileSystemWrapper {
 public:
  // About a millisecond's work.
  static constexpr uint64_t kStepBytes = 4 << 20;

  explicit GradualDeletion(std::shared_ptr<rocksdb::FileSystem> files)
      : FileSystemWrapper(std::move(files)) {}
  const char* Name() const override { return "GradualDeletion"; }

  // The name is gone first and at once: after a crash the rest is the file system's to give back. A
  // file that has another name stays as it is under that.
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_ROCKSDB_GRADUAL_DELETION_H_
