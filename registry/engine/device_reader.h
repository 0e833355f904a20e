#ifndef BELLWIRE_REGISTRY_ENGINE_DEVICE_READER_H_
#define BELLWIRE_REGISTRY_ENGINE_DEVICE_READER_H_

#include <cstddef>
#include <string>

#include "absl/container/btree_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "registry/engine/kv_engine.h"

namespace bellwire::registry {

// The records of one device in one family.
struct DeviceRecords {
  absl::btree_map<std::string, std::string> records;
  // False: there are more than fit into the bounds, and `records` has some of them.
  bool complete = true;
};

// What an engine can do whose reads are round trips: read all records of many devices in one.
class DeviceReader {
 public:
  virtual ~DeviceReader() = default;

  // Calls `visit` once for each device and each of the families kDevices and kLives, also where
  // there is nothing. `devices` are ids, each once. `max_bytes` bounds the keys and values of a
  // device and family. Errors as KvReader; what was visited before an error is right.
  virtual absl::Status ReadDevices(
      absl::Span<const std::string> devices, size_t max_bytes,
      absl::FunctionRef<void(Family family, const std::string& device, DeviceRecords records)>
          visit) const = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_DEVICE_READER_H_
