#ifndef BELLWIRE_REGISTRY_ENGINE_ROCKSDB_CRC32C_H_
#define BELLWIRE_REGISTRY_ENGINE_ROCKSDB_CRC32C_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace bellwire::registry {

// CRC-32C (Castagnoli; RFC 3720, appendix B.4) of what `crc` is the checksum of, followed by
// `data`. Start with 0. RocksDB has one inside and doesn't lend it. Thread-safe.
uint32_t ExtendCrc32c(uint32_t crc, absl::string_view data);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_ROCKSDB_CRC32C_H_
