#ifndef BELLWIRE_REGISTRY_SERVER_REQUEST_DECODER_H_
#define BELLWIRE_REGISTRY_SERVER_REQUEST_DECODER_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "common/ids.h"
#include "registry/server/store.h"

// From the messages of the registry's port to the typed arguments of its store. Everything that
// goes into a key or a record is checked here: other daemons are trusted to be ours, not to be
// right.
//
// Errors: INVALID_ARGUMENT BAD_REQUEST naming the field, unless it says otherwise.
namespace bellwire::registry {

absl::StatusOr<DeviceId> DecodeDevice(absl::string_view device_id);
absl::StatusOr<MessageId> DecodeMessageId(absl::string_view message_id);

// For AppendRequest, GetMessageRequest and RecallRequest.
template <typename Request>
absl::StatusOr<TokenRef> DecodeToken(const Request& request);
// `subscription`: who sends to one; null: a team does.
absl::StatusOr<TokenRef> DecodeToken(
    absl::string_view device_id, uint64_t registration_id, absl::string_view team_id,
    const internal::v1::SubscriptionSender* subscription = nullptr);

absl::Status CheckMessage(const Envelope& message);
absl::Status CheckRoute(const Route& route);
absl::StatusOr<std::vector<AckItem>> DecodeAckItems(
    const google::protobuf::RepeatedPtrField<internal::v1::AckRequest::Item>& items);
absl::StatusOr<std::vector<AppAckItem>> DecodeAppAckItems(
    const google::protobuf::RepeatedPtrField<internal::v1::AppAckRequest::Item>& items);

absl::StatusOr<NetworkReport> DecodeNetworkReport(const internal::v1::NetworkReport& report);

absl::Status CheckReadReceipts(const internal::v1::ReadReceiptsRequest& request);

// BAD_APP_ID
absl::Status CheckAppId(absl::string_view app_id);
absl::Status CheckAppOwner(absl::string_view owner);
// BAD_SUBSCRIPTION
absl::Status CheckInstance(absl::string_view instance);
absl::Status CheckSubscription(const Subscription& subscription);
// NOT_FOUND TEAM_NOT_FOUND: no team has an id of that form.
absl::Status CheckTeamId(absl::string_view team_id);
// NOT_FOUND KEY_NOT_FOUND
absl::Status CheckKeyId(absl::string_view key_id);
// As above, and BAD_NAME, BAD_OVERFLOW_POLICY, BAD_PUBLIC_KEY, BAD_ALIAS.
absl::Status CheckTeam(const admin::v1::Team& team);
absl::Status CheckApp(const admin::v1::App& app);
absl::Status CheckKey(const admin::v1::Key& key);

template <typename Request>
absl::StatusOr<TokenRef> DecodeToken(const Request& request) {
  return DecodeToken(request.device_id(), request.registration_id(), request.team_id(),
                     request.has_subscription() ? &request.subscription() : nullptr);
}

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_SERVER_REQUEST_DECODER_H_
