#ifndef BELLWIRE_TESTS_FAULTS_FRAGILE_FILE_SYSTEM_H_
#define BELLWIRE_TESTS_FAULTS_FRAGILE_FILE_SYSTEM_H_

#include <memory>

#include "rocksdb/env.h"
#include "tests/faults/fragile_disk.h"

namespace bellwire::tests {

// An Env whose files below disk->root() lie on a FragileDisk; everything else (threads, time, the
// LOCK file, RocksDB's info log, making the directory itself) is the machine's. `disk` outlives it.
// Thread-safe.
std::unique_ptr<rocksdb::Env> NewFragileEnv(FragileDisk* disk);

}  // namespace bellwire::tests

#endif  // BELLWIRE_TESTS_FAULTS_FRAGILE_FILE_SYSTEM_H_
