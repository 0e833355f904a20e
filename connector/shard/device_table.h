#ifndef BELLWIRE_CONNECTOR_SHARD_DEVICE_TABLE_H_
#define BELLWIRE_CONNECTOR_SHARD_DEVICE_TABLE_H_

#include <array>
#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/ids.h"

namespace bellwire::connector {

// The newest session of each device in this process, over all shards. The registry names the
// session that a login evicts, but only the one it knows of: this table finds one that is older
// still and never heard of its end. Thread-safe.
class DeviceTable {
 public:
  // `session_id` is bound. Answers the session that it leaves behind, if any: the one that held the
  // device, or, if that one is newer, `session_id` itself.
  std::optional<uint64_t> Claim(const DeviceId& device_id, uint64_t session_id,
                                uint64_t login_number);
  // The session is over. Nothing happens if another one holds the device.
  void Release(const DeviceId& device_id, uint64_t session_id);

  size_t size() const;

 private:
  struct Session {
    uint64_t session_id;
    uint64_t login_number;
  };
  // Devices are spread over parts, so that shards seldom meet at a lock.
  struct Part {
    mutable absl::Mutex mutex;
    absl::flat_hash_map<DeviceId, Session> sessions ABSL_GUARDED_BY(mutex);
  };
  Part& PartOf(const DeviceId& device_id);

  std::array<Part, 16> parts_;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SHARD_DEVICE_TABLE_H_
