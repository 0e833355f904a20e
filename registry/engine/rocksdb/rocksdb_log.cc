#include "registry/engine/rocksdb/rocksdb_log.h"

#include <stdio.h>

#include "common/log.h"

namespace bellwire::registry {
namespace {

// Of one line; what is longer is cut.
constexpr size_t kMaxLineBytes = 1024;

}  // namespace

void RocksDbLog::Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) {
  if (clock_ == nullptr || level < GetInfoLogLevel()) return;
  if (level == rocksdb::InfoLogLevel::HEADER_LEVEL) return;
  const auto unsaid = limit_.Take();
  if (!unsaid.has_value()) return;
  char line[kMaxLineBytes];
  vsnprintf(line, sizeof(line), format, arguments);
  LogWarning("rocksdb", {{"says", line}, {"unsaid", *unsaid}});
}

}  // namespace bellwire::registry
