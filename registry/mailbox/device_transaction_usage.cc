// DeviceTransaction: what teams use of their quotas.
#include <cassert>
#include <cstdint>

#include "registry/mailbox/device_transaction.h"

namespace bellwire::registry {

using storage::v1::Pending;
using storage::v1::Registration;

storage::v1::OutboxUsage* DeviceTransaction::UsageOf(const Registration& registration) {
  for (storage::v1::OutboxUsage& usage : *outbox_.mutable_usage()) {
    if (usage.app_id() == registration.app_id() && usage.team_id() == registration.team_id()) {
      return &usage;
    }
  }
  storage::v1::OutboxUsage* const usage = outbox_.add_usage();
  usage->set_team_id(registration.team_id());
  usage->set_app_id(registration.app_id());
  return usage;
}

void DeviceTransaction::SettleWaitingBytes(Registration* registration) {
  uint64_t bytes = 0;
  for (const Pending& pending : registration->pending()) bytes += pending.bytes();
  if (bytes == registration->waiting_bytes()) return;
  storage::v1::OutboxUsage* const usage = UsageOf(*registration);
  usage->set_bytes_waiting(usage->bytes_waiting() + static_cast<int64_t>(bytes) -
                           static_cast<int64_t>(registration->waiting_bytes()));
  registration->set_waiting_bytes(bytes);
}

void DeviceTransaction::CountAccepted(uint64_t registration_id, uint32_t day) {
  const auto it = registrations_.find(registration_id);
  assert(it != registrations_.end());
  storage::v1::OutboxUsage* const usage = UsageOf(it->second.record);
  usage->set_messages(usage->messages() + 1);
  usage->set_day(day);
}

}  // namespace bellwire::registry
