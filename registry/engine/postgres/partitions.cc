#include "registry/engine/postgres/partitions.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

#include "common/ids.h"

namespace bellwire::registry {
namespace {

// Where a family's keys have their device (registry/keys/keys.h). nullopt: they have none.
std::optional<size_t> PlaceOfDevice(Family family) {
  switch (family) {
    case Family::kDevices:
    case Family::kLives:
      return 0;
    case Family::kTimeline:
    case Family::kOutbox:
      return 8;
    case Family::kTeams:
    case Family::kNames:
    case Family::kFeeds:
    case Family::kTopics:
      break;
  }
  return std::nullopt;
}

}  // namespace

int Partitions::Of(Family family, absl::string_view key) const {
  const std::optional<size_t> place = PlaceOfDevice(family);
  if (!place.has_value() || key.size() < *place + DeviceId::kSize) return shared();
  const absl::string_view device = key.substr(*place, DeviceId::kSize);
  // A team's entry in the timeline.
  if (std::all_of(device.begin(), device.end(), [](char c) { return c == '\0'; })) return shared();
  return OfDevice(device);
}

std::optional<int> Partitions::OfRange(Family family, absl::string_view from,
                                       absl::string_view to) const {
  const std::optional<size_t> place = PlaceOfDevice(family);
  if (!place.has_value()) return shared();
  const size_t end = *place + DeviceId::kSize;
  if (from.size() < end || to.size() < end || from.substr(0, end) != to.substr(0, end)) {
    return std::nullopt;
  }
  return Of(family, from);
}

int Partitions::OfDevice(absl::string_view device) const {
  if (device == last_device_) return last_partition_;
  unsigned char digest[EVP_MAX_MD_SIZE] = {};
  unsigned int size = 0;
  HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
       reinterpret_cast<const unsigned char*>(device.data()), device.size(), digest, &size);
  uint64_t hash = 0;
  for (int i = 0; i < 8; ++i) hash = hash << 8 | digest[i];
  last_device_ = std::string(device);
  last_partition_ = static_cast<int>(hash % static_cast<uint64_t>(count_));
  return last_partition_;
}

}  // namespace bellwire::registry
