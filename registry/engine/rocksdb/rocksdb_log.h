#ifndef BELLWIRE_REGISTRY_ENGINE_ROCKSDB_ROCKSDB_LOG_H_
#define BELLWIRE_REGISTRY_ENGINE_ROCKSDB_ROCKSDB_LOG_H_

#include <stdarg.h>

#include "common/clock.h"
#include "common/log_limit.h"
#include "rocksdb/env.h"

namespace bellwire::registry {

// What RocksDB has to say goes into the program's own log, warnings and errors only.
//
// RocksDB's default is a file LOG in the store's directory. Its writer goes on after a failed
// write, which RocksDB 7.8 asserts that nobody does: with Debian's build a full disk aborts the
// process.
//
// Thread-safe: RocksDB writes from threads of its own.
class RocksDbLog final : public rocksdb::Logger {
 public:
  // `clock` outlives the log. Null: nothing is said.
  explicit RocksDbLog(const Clock* clock)
      : Logger(rocksdb::InfoLogLevel::WARN_LEVEL), clock_(clock), limit_(clock) {}

  // Lines that have no level are not for operators.
  void Logv(const char*, va_list) override {}
  void LogHeader(const char*, va_list) override {}
  void Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) override;

 private:
  const Clock* const clock_;
  LogLimit limit_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_ROCKSDB_ROCKSDB_LOG_H_
