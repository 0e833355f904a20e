#include "device-agent/heartbeat/network_table.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "bellwire/agent/v1/heartbeat_state.pb.h"
#include "common/limits.h"

namespace bellwire::agent {
namespace {

using Stored = v1::HeartbeatState::Network;
using Phase = NetworkRecord::Phase;

// Beyond it absl::Time and milliseconds don't convert into each other; and who probes in the year
// 2500?
constexpr int64_t kMaxUnixMs = 16'725'225'600'000;

Stored::Phase ToStored(Phase phase) {
  switch (phase) {
    case Phase::kClimbing:
      return Stored::CLIMBING;
    case Phase::kRefining:
      return Stored::REFINING;
    case Phase::kSettled:
    case Phase::kProbing:
      return Stored::SETTLED;
  }
  return Stored::CLIMBING;
}

NetworkRecord FromStored(const Stored& stored) {
  NetworkRecord record;
  record.good =
      std::min<absl::Duration>(absl::Milliseconds(stored.good_ms()), kMaxHeartbeatInterval);
  if (stored.bad_ms() > 0) record.bad = absl::Milliseconds(stored.bad_ms());
  if (record.bad <= record.good) record.bad = absl::InfiniteDuration();
  record.probe_wait = std::clamp<absl::Duration>(absl::Seconds(stored.probe_wait_s()),
                                                 kProbeWaitMin, kProbeWaitMax);
  // Settled on nothing, or refining towards nothing, is no state to go on from: climb.
  if (stored.phase() == Stored::SETTLED && record.good > absl::ZeroDuration()) {
    record.phase = Phase::kSettled;
    record.next_probe =
        absl::FromUnixMillis(std::clamp<int64_t>(stored.next_probe_ms(), 0, kMaxUnixMs));
  } else if (stored.phase() == Stored::REFINING && record.bad != absl::InfiniteDuration()) {
    record.phase = Phase::kRefining;
  }
  return record;
}

}  // namespace

absl::StatusOr<NetworkTable> NetworkTable::Parse(absl::string_view bytes) {
  v1::HeartbeatState state;
  if (!state.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("no table of networks");
  }
  NetworkTable table;
  for (const Stored& stored : state.networks()) {
    if (table.networks_.size() == kMaxKnownNetworks) break;
    const std::optional<NetworkId> id = NetworkId::FromBytes(stored.id());
    if (!id.has_value()) continue;
    const auto same = [&id](const auto& network) { return network.first == *id; };
    if (std::any_of(table.networks_.begin(), table.networks_.end(), same)) continue;
    table.networks_.emplace_back(*id, FromStored(stored));
  }
  return table;
}

std::string NetworkTable::Serialize() const {
  v1::HeartbeatState state;
  for (const auto& [id, record] : networks_) {
    Stored* stored = state.add_networks();
    stored->set_id(std::string(id.bytes()));
    stored->set_phase(ToStored(record.phase));
    stored->set_good_ms(static_cast<uint32_t>(absl::ToInt64Milliseconds(record.good)));
    if (record.bad != absl::InfiniteDuration()) {
      stored->set_bad_ms(static_cast<uint32_t>(absl::ToInt64Milliseconds(record.bad)));
    }
    if (stored->phase() == Stored::SETTLED) {
      stored->set_next_probe_ms(absl::ToUnixMillis(record.next_probe));
    }
    stored->set_probe_wait_s(static_cast<uint32_t>(absl::ToInt64Seconds(record.probe_wait)));
  }
  return state.SerializeAsString();
}

const NetworkRecord* NetworkTable::Find(const NetworkId& id) const {
  const auto found = std::find_if(networks_.begin(), networks_.end(),
                                  [&id](const auto& network) { return network.first == id; });
  return found == networks_.end() ? nullptr : &found->second;
}

NetworkRecord* NetworkTable::Use(const NetworkId& id) {
  auto found = std::find_if(networks_.begin(), networks_.end(),
                            [&id](const auto& network) { return network.first == id; });
  if (found == networks_.end()) {
    if (networks_.size() == kMaxKnownNetworks) networks_.pop_back();
    networks_.emplace(networks_.begin(), id, NetworkRecord());
  } else {
    std::rotate(networks_.begin(), found, found + 1);
  }
  return &networks_.front().second;
}

}  // namespace bellwire::agent
