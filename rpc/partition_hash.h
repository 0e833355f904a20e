#ifndef BELLWIRE_RPC_PARTITION_HASH_H_
#define BELLWIRE_RPC_PARTITION_HASH_H_

#include "absl/strings/string_view.h"

namespace bellwire {

// Which partition a device belongs to, in [0, partitions): by a hash whose key is the store's
// secret, since device ids are chosen by who makes devices. Registries and their callers agree on
// it, and it is stored in the places of all records: it never changes. Pure.
//
// REQUIRES: partitions >= 1.
int PartitionOfDevice(absl::string_view device_id, absl::string_view key, int partitions);

}  // namespace bellwire

#endif  // BELLWIRE_RPC_PARTITION_HASH_H_
