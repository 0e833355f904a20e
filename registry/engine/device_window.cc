#include "registry/engine/device_window.h"

#include <algorithm>

#include "registry/keys/keys.h"

namespace bellwire::registry {
namespace {

// A step that reads fewer looks at more device ids the next time.
constexpr size_t kMinReads = 64;
constexpr uint64_t kMaxIds = uint64_t{1} << 62;

}  // namespace

std::string DeviceWindow::EndAfter(absl::string_view from) const {
  std::string first(from.substr(0, sizeof(ids_)));
  first.resize(sizeof(ids_), '\0');
  const uint64_t begin = ParseBigEndian64(first);
  if (begin > UINT64_MAX - ids_) return EndOfFamily();
  std::string end;
  AppendBigEndian64(begin + ids_, &end);
  return end;
}

void DeviceWindow::Adapt(size_t read, bool full) {
  if (full) {
    ids_ = std::max<uint64_t>(1, ids_ / 2);
  } else if (read < kMinReads) {
    ids_ = std::min(kMaxIds, ids_ * 2);
  }
}

}  // namespace bellwire::registry
