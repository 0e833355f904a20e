#ifndef BELLWIRE_REGISTRY_SERVER_TOPIC_DECODER_H_
#define BELLWIRE_REGISTRY_SERVER_TOPIC_DECODER_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bellwire/internal/v1/topics.pb.h"
#include "registry/keys/keys.h"

// Checks of what is asked about topics, as request_decoder.h has them of the rest.
//
// Errors: INVALID_ARGUMENT BAD_REQUEST naming the field; BAD_TOPIC; NOT_FOUND TEAM_NOT_FOUND.
namespace bellwire::registry {

// What ChangeSubscription and ListSubscriptions name. `team_id` empty: the device itself asks.
absl::Status CheckTopicToken(absl::string_view device_id, uint64_t registration_id,
                             absl::string_view team_id);
absl::Status CheckTopicName(absl::string_view topic);
// nullopt: unset.
absl::StatusOr<std::optional<SubscriberEntry>> DecodeSubscriber(
    bool is_set, const internal::v1::Subscriber& subscriber, absl::string_view field);
absl::Status CheckPageSubscribers(const internal::v1::PageSubscribersRequest& request);
absl::Status CheckListTopics(const internal::v1::ListTopicsRequest& request);
absl::Status CheckPutTopic(const internal::v1::PutTopicRequest& request);
absl::Status CheckPublish(const internal::v1::PublishTopicRequest& request);
absl::Status CheckClaim(const internal::v1::ClaimRequest& request);
absl::Status CheckAdvance(const internal::v1::AdvanceRequest& request);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SERVER_TOPIC_DECODER_H_
