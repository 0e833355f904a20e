// The part of DeviceTransaction about subscriptions and topics.

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "common/status_macros.h"
#include "registry/engine/records.h"
#include "registry/mailbox/device_transaction.h"

namespace bellwire::registry {

using storage::v1::Registration;

void DeviceTransaction::PutSubscription(const internal::v1::Subscription& subscription,
                                        uint64_t registration_id) {
  std::string value;
  AppendBigEndian64(registration_id, &value);
  value += subscription.owner();
  overlay_.Put(Family::kDevices, SubscriptionKey(id_, subscription.instance()), std::move(value));
}

absl::StatusOr<size_t> DeviceTransaction::CountSubscriptionsOf(absl::string_view owner) {
  size_t count = 0;
  BELLWIRE_RETURN_IF_ERROR(overlay_.Scan(
      Family::kDevices, SubscriptionsFrom(id_), SubscriptionsEnd(id_),
      [&](absl::string_view, absl::string_view value) {
        count += absl::EndsWith(value, owner) && value.size() == sizeof(uint64_t) + owner.size();
        return true;
      }));
  return count;
}

absl::StatusOr<std::optional<storage::v1::TopicSubscription>> DeviceTransaction::FindTopic(
    uint64_t registration_id, absl::string_view topic) {
  return GetRecord<storage::v1::TopicSubscription>(overlay_, Family::kDevices,
                                                   DeviceTopicKey(id_, registration_id, topic));
}

void DeviceTransaction::AddTopic(uint64_t registration_id, absl::string_view topic) {
  Registration* registration = MutableRegistration(registration_id);
  storage::v1::TopicSubscription subscription;
  subscription.set_created_at_ms(now_ms_);
  overlay_.Put(Family::kDevices, DeviceTopicKey(id_, registration_id, topic),
               subscription.SerializeAsString());
  overlay_.Put(Family::kTopics, SubscriberKey(registration->team_id(), topic, id_, registration_id),
               registration->app_id());
  registration->set_topics(registration->topics() + 1);
  CountTopic(registration->team_id(), topic, +1);
}

absl::Status DeviceTransaction::RemoveTopic(uint64_t registration_id, absl::string_view team_id,
                                            absl::string_view topic) {
  overlay_.Delete(Family::kDevices, DeviceTopicKey(id_, registration_id, topic));
  overlay_.Delete(Family::kTopics, SubscriberKey(team_id, topic, id_, registration_id));
  CountTopic(team_id, topic, -1);
  BELLWIRE_ASSIGN_OR_RETURN(const Registration* found, FindRegistration(registration_id));
  if (found != nullptr) MutableRegistration(registration_id)->set_topics(found->topics() - 1);
  return absl::OkStatus();
}

absl::Status DeviceTransaction::ScanTopics(
    uint64_t registration_id,
    absl::FunctionRef<bool(absl::string_view topic, const storage::v1::TopicSubscription&)> visit) {
  absl::Status status;
  BELLWIRE_RETURN_IF_ERROR(overlay_.Scan(
      Family::kDevices, DeviceTopicsFrom(id_, registration_id),
      DeviceTopicsEnd(id_, registration_id), [&](absl::string_view key, absl::string_view value) {
        const auto subscription = ParseRecord<storage::v1::TopicSubscription>(value);
        status = subscription.status();
        return status.ok() && visit(TopicOfDeviceTopicKey(key), *subscription);
      }));
  return status;
}

void DeviceTransaction::CountTopic(absl::string_view team_id, absl::string_view topic, int change) {
  storage::v1::OutboxTopic* entry = outbox_.add_topics();
  entry->set_team_id(std::string(team_id));
  entry->set_topic(std::string(topic));
  entry->set_change(change);
}

}  // namespace bellwire::registry
