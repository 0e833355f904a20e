#include "registry/server/topic_decoder.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "registry/engine/store_error.h"
#include "registry/server/request_decoder.h"
#include "rpc/topic_name.h"

namespace bellwire::registry {
namespace {

// Five names of the greatest length, and what stands between them.
constexpr size_t kMaxConditionBytes = 8 * 1024;
// As bellwire.internal.v1.KeptTopic says.
constexpr size_t kMaxTopicNoteBytes = 256;
constexpr size_t kGatewayBytes = 16;
// Subscribers of one Advance: many times more than a page has.
constexpr int64_t kMaxAdvance = 1'000'000;

absl::Status CheckGateway(absl::string_view gateway) {
  if (gateway.size() != kGatewayBytes) return BadFieldError("gateway", "not 16 bytes");
  return absl::OkStatus();
}

template <typename Names>
absl::Status CheckTopicNames(const Names& names) {
  if (names.empty() || static_cast<size_t>(names.size()) > kMaxConditionTopics) {
    return BadFieldError("topics", absl::StrCat("not 1 to ", kMaxConditionTopics));
  }
  std::set<absl::string_view> seen;
  for (const std::string& name : names) {
    BELLWIRE_RETURN_IF_ERROR(CheckTopicName(name));
    if (!seen.insert(name).second) return BadFieldError("topics", "one of them is there twice");
  }
  return absl::OkStatus();
}

absl::Status CheckAppIdOrNone(absl::string_view app_id) {
  return app_id.empty() ? absl::OkStatus() : CheckAppId(app_id);
}

}  // namespace

absl::Status CheckTopicToken(absl::string_view device_id, uint64_t registration_id,
                             absl::string_view team_id) {
  BELLWIRE_RETURN_IF_ERROR(DecodeDevice(device_id).status());
  if (registration_id == 0) return BadFieldError("registration_id", "is zero");
  return team_id.empty() ? absl::OkStatus() : CheckTeamId(team_id);
}

absl::Status CheckTopicName(absl::string_view topic) {
  if (IsValidTopicName(topic)) return absl::OkStatus();
  return WithField(MakeError(absl::StatusCode::kInvalidArgument, "BAD_TOPIC",
                             absl::StrCat("a topic's name has 1 to ", kMaxTopicNameChars,
                                          " characters of [a-zA-Z0-9-_.~%]")),
                   "topic");
}

absl::StatusOr<std::optional<SubscriberEntry>> DecodeSubscriber(
    bool is_set, const internal::v1::Subscriber& subscriber, absl::string_view field) {
  if (!is_set) return std::nullopt;
  const auto device = DeviceId::FromBytes(subscriber.device_id());
  if (!device.has_value()) return BadFieldError(field, "its device_id is not 16 bytes");
  return SubscriberEntry{*device, subscriber.registration_id()};
}

absl::Status CheckPageSubscribers(const internal::v1::PageSubscribersRequest& request) {
  BELLWIRE_RETURN_IF_ERROR(CheckTeamId(request.team_id()));
  BELLWIRE_RETURN_IF_ERROR(CheckTopicNames(request.topics()));
  BELLWIRE_RETURN_IF_ERROR(
      DecodeSubscriber(request.has_after(), request.after(), "after").status());
  if (request.max_subscribers() == 0) return BadFieldError("max_subscribers", "is zero");
  return CheckAppIdOrNone(request.app_id());
}

absl::Status CheckListTopics(const internal::v1::ListTopicsRequest& request) {
  BELLWIRE_RETURN_IF_ERROR(CheckTeamId(request.team_id()));
  if (!request.after().empty()) BELLWIRE_RETURN_IF_ERROR(CheckTopicName(request.after()));
  if (request.max_topics() == 0) return BadFieldError("max_topics", "is zero");
  return absl::OkStatus();
}

absl::Status CheckPutTopic(const internal::v1::PutTopicRequest& request) {
  BELLWIRE_RETURN_IF_ERROR(CheckTeamId(request.topic().team_id()));
  BELLWIRE_RETURN_IF_ERROR(CheckTopicName(request.topic().name()));
  BELLWIRE_RETURN_IF_ERROR(CheckAppIdOrNone(request.topic().app_id()));
  if (request.topic().note().size() > kMaxTopicNoteBytes) {
    return BadFieldError("topic.note", absl::StrCat("more than ", kMaxTopicNoteBytes, " bytes"));
  }
  if (!internal::v1::PutTopicRequest::Change_IsValid(request.change())) {
    return BadFieldError("change", "unknown");
  }
  return absl::OkStatus();
}

absl::Status CheckPublish(const internal::v1::PublishTopicRequest& request) {
  BELLWIRE_RETURN_IF_ERROR(CheckTeamId(request.team_id()));
  BELLWIRE_RETURN_IF_ERROR(DecodeMessageId(request.message_id()).status());
  BELLWIRE_RETURN_IF_ERROR(CheckTopicNames(request.topics()));
  if (request.topic().empty() == request.condition().empty()) {
    return BadFieldError("topic", "either a topic or a condition");
  }
  if (!request.topic().empty() &&
      (request.topics_size() != 1 || request.topics(0) != request.topic())) {
    return BadFieldError("topics", "not the topic");
  }
  if (request.condition().size() > kMaxConditionBytes) {
    return BadFieldError("condition", absl::StrCat("more than ", kMaxConditionBytes, " bytes"));
  }
  BELLWIRE_RETURN_IF_ERROR(CheckAppIdOrNone(request.app_id()));
  if (!request.message().message_id().empty() || request.message().registration_id() != 0) {
    return BadFieldError("message", "each subscriber's message has an id and a registration");
  }
  Envelope message = request.message();
  message.set_message_id(request.message_id());
  return CheckMessage(message);
}

absl::Status CheckClaim(const internal::v1::ClaimRequest& request) {
  BELLWIRE_RETURN_IF_ERROR(CheckGateway(request.gateway()));
  if (request.lease_ms() <= 0) return BadFieldError("lease_ms", "is not positive");
  if (request.wait_ms() < 0) return BadFieldError("wait_ms", "is negative");
  return absl::OkStatus();
}

absl::Status CheckAdvance(const internal::v1::AdvanceRequest& request) {
  BELLWIRE_RETURN_IF_ERROR(CheckTeamId(request.team_id()));
  BELLWIRE_RETURN_IF_ERROR(DecodeMessageId(request.message_id()).status());
  BELLWIRE_RETURN_IF_ERROR(CheckGateway(request.gateway()));
  BELLWIRE_RETURN_IF_ERROR(
      DecodeSubscriber(request.has_after(), request.after(), "after").status());
  if (request.sent() < 0 || request.sent() > kMaxAdvance || request.passed_over() < 0 ||
      request.passed_over() > kMaxAdvance) {
    return BadFieldError("sent", absl::StrCat("not 0 to ", kMaxAdvance));
  }
  if (request.lease_ms() <= 0 && !request.release() && !request.done()) {
    return BadFieldError("lease_ms", "is not positive");
  }
  return absl::OkStatus();
}

}  // namespace bellwire::registry
