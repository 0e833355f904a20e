#include "registry/devices/device_end.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/status_macros.h"
#include "registry/devices/device_list.h"
#include "registry/mailbox/registration.h"
#include "registry/topics/subscriptions.h"

namespace bellwire::registry {
namespace {

using storage::v1::MessageLife;
using storage::v1::Registration;

constexpr absl::string_view kRevokedDetail = "the device was revoked";

struct Found {
  uint64_t id = 0;
  std::string team_id;
  std::string app_id;
  std::string owner;
  // Of a subscription.
  std::string instance;
  size_t messages = 0;
};

// What lives, and of what is dead what still has topics: as it was before this transaction.
struct Registrations {
  std::vector<Found> living;
  std::vector<Found> with_topics;
};

absl::StatusOr<Registrations> FindRegistrations(DeviceTransaction& tx) {
  Registrations found;
  BELLWIRE_RETURN_IF_ERROR(tx.ScanRegistrations([&](uint64_t id, const Registration& registration) {
    Found one{.id = id,
              .team_id = registration.team_id(),
              .app_id = registration.app_id(),
              .owner = registration.owner(),
              .instance = registration.subscription().instance(),
              .messages = static_cast<size_t>(registration.pending_size())};
    if (registration.removed_at_ms() == 0) {
      found.living.push_back(std::move(one));
    } else if (registration.topics() != 0) {
      found.with_topics.push_back(std::move(one));
    }
  }));
  return found;
}

// Ends as many of them as a step may. True: all.
absl::StatusOr<bool> EndRegistrations(DeviceTransaction& tx, const std::vector<Found>& living,
                                      DeviceEndResult* result) {
  for (const Found& one : living) {
    if (result->registrations == kMaxRegistrationsEndedPerStep ||
        (result->registrations > 0 && result->messages + one.messages > kMaxMessagesEndedPerStep)) {
      return false;
    }
    BELLWIRE_RETURN_IF_ERROR(one.instance.empty()
                                 ? RemoveApp(tx, one.app_id, one.owner, one.id, kRevokedDetail)
                                 : RemoveSubscription(tx, one.instance, one.id, kRevokedDetail));
    ++result->registrations;
    result->messages += static_cast<uint32_t>(one.messages);
  }
  return true;
}

// Forgets the lives of some messages. True: there are no more.
absl::StatusOr<bool> ForgetLives(DeviceTransaction& tx, DeviceEndResult* result) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<MessageRef> lives,
                            tx.FindLives(kMaxRecordsForgottenPerStep));
  for (const MessageRef& ref : lives) {
    BELLWIRE_ASSIGN_OR_RETURN(MessageLife life, tx.GetLife(ref));
    if (life.place() != MessageLife::ENDED) {
      BELLWIRE_RETURN_IF_ERROR(tx.Record(ref, &life, push::v1::UNREGISTERED,
                                         "the device was deleted; it did not say what became of "
                                         "the message"));
    }
    BELLWIRE_RETURN_IF_ERROR(tx.ForgetLife(ref, life));
    ++result->lives;
  }
  return lives.size() < kMaxRecordsForgottenPerStep;
}

}  // namespace

absl::StatusOr<DeviceEndResult> CountDeviceEnd(DeviceTransaction& tx, bool forget) {
  if (!tx.exists()) return DeviceNotFoundError(tx.device_id());
  BELLWIRE_ASSIGN_OR_RETURN(const Registrations found, FindRegistrations(tx));
  DeviceEndResult result{.registrations = static_cast<uint32_t>(found.living.size()), .done = true};
  for (const Found& one : found.living) result.messages += static_cast<uint32_t>(one.messages);
  if (forget) {
    BELLWIRE_ASSIGN_OR_RETURN(const std::vector<MessageRef> lives, tx.FindLives(kMaxLivesCounted));
    result.lives = lives.size();
  }
  return result;
}

absl::StatusOr<DeviceEndResult> EndDeviceStep(DeviceTransaction& tx, bool forget, bool may_finish) {
  if (!tx.exists()) return DeviceNotFoundError(tx.device_id());
  DeviceEndResult result;
  if (tx.device().revoked_at_ms() == 0 || (forget && !tx.device().deleting())) tx.Revoke(forget);
  BELLWIRE_ASSIGN_OR_RETURN(const Registrations found, FindRegistrations(tx));
  if (!found.living.empty()) {
    BELLWIRE_ASSIGN_OR_RETURN(const bool all, EndRegistrations(tx, found.living, &result));
    result.done = all && !forget;
    return result;
  }
  if (!forget) {
    result.done = true;
    return result;
  }
  if (!found.with_topics.empty()) {
    size_t steps = 0;
    for (const Found& one : found.with_topics) {
      if (++steps > kMaxMessagesEndedPerStep / kMaxTopicsEndedPerTransaction) break;
      BELLWIRE_RETURN_IF_ERROR(EndTopics(tx, one.id, one.team_id));
    }
    return result;
  }
  BELLWIRE_ASSIGN_OR_RETURN(const bool no_lives, ForgetLives(tx, &result));
  if (!no_lives || result.lives > 0) return result;
  BELLWIRE_ASSIGN_OR_RETURN(const size_t forgotten, tx.ForgetEnded(kMaxRecordsForgottenPerStep));
  if (forgotten > 0 || !may_finish) return result;
  tx.DeleteDevice();
  result.done = true;
  return result;
}

}  // namespace bellwire::registry
