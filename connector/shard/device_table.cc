#include "connector/shard/device_table.h"

namespace bellwire::connector {

DeviceTable::Part& DeviceTable::PartOf(const DeviceId& device_id) {
  // Device ids are hashes.
  return parts_[static_cast<uint8_t>(device_id.bytes()[0]) % parts_.size()];
}

std::optional<uint64_t> DeviceTable::Claim(const DeviceId& device_id, uint64_t session_id,
                                           uint64_t login_number) {
  Part& part = PartOf(device_id);
  absl::MutexLock lock(&part.mutex);
  const auto [it, inserted] =
      part.sessions.try_emplace(device_id, Session{session_id, login_number});
  if (inserted) return std::nullopt;
  if (it->second.login_number > login_number) return session_id;
  const uint64_t older = it->second.session_id;
  it->second = Session{session_id, login_number};
  return older;
}

void DeviceTable::Release(const DeviceId& device_id, uint64_t session_id) {
  Part& part = PartOf(device_id);
  absl::MutexLock lock(&part.mutex);
  const auto it = part.sessions.find(device_id);
  if (it != part.sessions.end() && it->second.session_id == session_id) part.sessions.erase(it);
}

size_t DeviceTable::size() const {
  size_t size = 0;
  for (const Part& part : parts_) {
    absl::MutexLock lock(&part.mutex);
    size += part.sessions.size();
  }
  return size;
}

}  // namespace bellwire::connector
