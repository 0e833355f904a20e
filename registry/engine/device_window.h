#ifndef BELLWIRE_REGISTRY_ENGINE_DEVICE_WINDOW_H_
#define BELLWIRE_REGISTRY_ENGINE_DEVICE_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace bellwire::registry {

// For a chore that walks through the records of all devices: how far one step looks. A scan across
// devices costs what lies in its range, also where it stops early, because what was written lately
// is merged in (registry/engine/recent_writes.h). So a step asks for a window of device ids, as
// large as has about as many records as it may read. Not thread-safe.
class DeviceWindow {
 public:
  // After every key of any family: none begins with so many of these.
  static std::string EndOfFamily() { return std::string(64, '\xff'); }

  // Where a step that begins at the key `from` ends at the latest; EndOfFamily where nothing comes
  // after it.
  std::string EndAfter(absl::string_view from) const;
  // A step read so many records; `full`: it left some of its window.
  void Adapt(size_t read, bool full);

 private:
  // How many device ids, of 2^64 beginnings.
  uint64_t ids_ = uint64_t{1} << 58;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_ENGINE_DEVICE_WINDOW_H_
