#include "rpc/partition_hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstdint>

namespace bellwire {

int PartitionOfDevice(absl::string_view device_id, absl::string_view key, int partitions) {
  unsigned char digest[EVP_MAX_MD_SIZE] = {};
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(device_id.data()), device_id.size(), digest, &size);
  uint64_t hash = 0;
  for (int i = 0; i < 8; ++i) hash = hash << 8 | digest[i];
  return static_cast<int>(hash % static_cast<uint64_t>(partitions));
}

}  // namespace bellwire
