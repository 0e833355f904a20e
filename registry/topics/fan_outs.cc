#include "registry/topics/fan_outs.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/trace_context.h"
#include "google/protobuf/util/time_util.h"
#include "registry/engine/records.h"
#include "registry/engine/store_error.h"
#include "registry/mailbox/message_life.h"
#include "registry/topics/topic_list.h"
#include "registry/topics/topic_steps.h"

namespace bellwire::registry {

using google::protobuf::util::TimeUtil;
using internal::v1::AdvanceRequest;
using internal::v1::ClaimResponse;
using internal::v1::PublishTopicRequest;
using internal::v1::Subscriber;
using storage::v1::FanOut;
using storage::v1::TopicMessage;

namespace {

absl::Status ClaimLostError(absl::string_view why) {
  return MakeError(absl::StatusCode::kFailedPrecondition, "CLAIM_LOST", why);
}

absl::Status LimitError(absl::string_view what) {
  return WithRetryAfter(MakeError(absl::StatusCode::kResourceExhausted, "LIMIT_REACHED", what),
                        kMailboxFullRetryAfter);
}

// In the order of PageSubscribers.
bool IsBeyond(const Subscriber& a, const Subscriber& b) {
  if (a.device_id() != b.device_id()) return a.device_id() > b.device_id();
  return a.registration_id() > b.registration_id();
}

// After every subscriber there can be.
Subscriber TheEnd() {
  Subscriber end;
  end.set_device_id(std::string(DeviceId::kSize, '\xff'));
  end.set_registration_id(UINT64_MAX);
  return end;
}

// Whether a Publish repeats the one that was accepted, as IsRetry says of messages.
bool IsSame(const PublishTopicRequest& a, const PublishTopicRequest& b, int64_t now_ms) {
  const int64_t a_ms = a.message().deliver_at_ms();
  const int64_t b_ms = b.message().deliver_at_ms();
  // A deliver_at that has passed means now.
  const bool same_time = a_ms == b_ms || (a_ms <= now_ms && b_ms <= now_ms);
  return same_time && a.topic() == b.topic() && a.condition() == b.condition() &&
         a.app_id() == b.app_id() && ContentHash(a.message()) == ContentHash(b.message());
}

bool HasEnded(const FanOut& fan_out) { return fan_out.ended_at_ms() != 0; }

}  // namespace

absl::Status FanOuts::Load(MonotonicTime now) {
  if (loaded_) return absl::OkStatus();
  queue_ = FanOutQueue();
  std::vector<OpenFanOut> open;
  BELLWIRE_RETURN_IF_ERROR(overlay_->Scan(
      Family::kTopics, "", OpenFanOutsEnd(), [&](absl::string_view key, absl::string_view) {
        std::optional<OpenFanOut> fan_out = ParseOpenFanOutKey(key);
        if (fan_out.has_value()) open.push_back(*std::move(fan_out));
        return true;
      }));
  for (const OpenFanOut& ref : open) {
    const absl::StatusOr<FanOut> fan_out = GetFanOut(ref.team_id, ref.message_id);
    if (absl::IsUnavailable(fan_out.status())) return fan_out.status();
    if (!fan_out.ok()) {
      // What is damaged must not keep the others.
      LogError("fan_out_lost", {{"team", ref.team_id},
                                {"message", FormatUuid(ref.message_id)},
                                {"error", fan_out.status().message()}});
      continue;
    }
    queue_.Add(ref);
    if (fan_out->gateway().empty()) continue;
    queue_.Hold(ref.team_id, ref.message_id, fan_out->gateway(),
                now + absl::Milliseconds(fan_out->lease_ms()));
  }
  loaded_ = true;
  return absl::OkStatus();
}

absl::StatusOr<FanOut> FanOuts::GetFanOut(absl::string_view team_id,
                                          const MessageId& message_id) const {
  BELLWIRE_ASSIGN_OR_RETURN(
      std::optional<FanOut> fan_out,
      GetRecord<FanOut>(*overlay_, Family::kTopics, FanOutKey(team_id, message_id)));
  if (!fan_out.has_value()) return MessageNotFoundError();
  return *std::move(fan_out);
}

absl::StatusOr<TopicMessage> FanOuts::GetMessage(absl::string_view team_id,
                                                 const MessageId& message_id) const {
  BELLWIRE_ASSIGN_OR_RETURN(
      std::optional<TopicMessage> message,
      GetRecord<TopicMessage>(*overlay_, Family::kTopics, TopicMessageKey(team_id, message_id)));
  if (!message.has_value()) return StoreCorruptError("a fan-out without its topic message");
  return *std::move(message);
}

void FanOuts::Put(absl::string_view team_id, const MessageId& message_id, const FanOut& fan_out) {
  overlay_->Put(Family::kTopics, FanOutKey(team_id, message_id), fan_out.SerializeAsString());
}

void FanOuts::Open(const OpenFanOut& fan_out) {
  overlay_->Put(Family::kTopics, OpenFanOutKey(fan_out), std::string());
  queue_.Add(fan_out);
}

void FanOuts::Close(const OpenFanOut& fan_out) {
  overlay_->Delete(Family::kTopics, OpenFanOutKey(fan_out));
  queue_.Remove(fan_out.team_id, fan_out.message_id);
}

absl::StatusOr<bool> FanOuts::Publish(const PublishTopicRequest& request, int64_t now_ms,
                                      MonotonicTime now) {
  BELLWIRE_RETURN_IF_ERROR(Load(now));
  const std::string& team_id = request.team_id();
  const MessageId message_id = *MessageId::FromBytes(request.message_id());
  BELLWIRE_ASSIGN_OR_RETURN(
      const std::optional<TopicMessage> earlier,
      GetRecord<TopicMessage>(*overlay_, Family::kTopics, TopicMessageKey(team_id, message_id)));
  if (earlier.has_value()) {
    if (IsSame(earlier->request(), request, now_ms)) return true;
    return MakeError(absl::StatusCode::kAlreadyExists, "MESSAGE_ID_REUSED",
                     "another topic message was accepted under this message id");
  }
  if (queue_.CountOf(team_id) >= kMaxOpenFanOutsPerTeam) {
    return LimitError(absl::StrCat(
        kMaxOpenFanOutsPerTeam, " topic messages of this team are being sent, which is the most"));
  }
  if (queue_.size() >= kMaxOpenFanOuts) {
    return LimitError(
        absl::StrCat(kMaxOpenFanOuts, " topic messages are being sent, which is the most"));
  }
  TopicMessage message;
  message.set_created_at_ms(now_ms);
  uint64_t subscribers = 0;
  for (const std::string& topic : request.topics()) {
    BELLWIRE_ASSIGN_OR_RETURN(const uint64_t of_topic,
                              TopicList(overlay_, team_id, feeds_()).Subscribers(topic));
    subscribers += of_topic;
  }
  message.set_subscribers(subscribers);
  *message.mutable_request() = request;
  FanOut fan_out;
  fan_out.set_wake_at_ms(now_ms + absl::ToInt64Milliseconds(retention_));
  overlay_->Put(Family::kTopics, TopicMessageKey(team_id, message_id), message.SerializeAsString());
  Put(team_id, message_id, fan_out);
  overlay_->Put(Family::kTimeline,
                TimelineKey({.time_ms = fan_out.wake_at_ms(),
                             .kind = TimelineEntry::Kind::kTopicMessage,
                             .message = {.message_id = message_id},
                             .team_id = team_id}),
                std::string());
  Open({now_ms, message_id, team_id});
  return false;
}

void FanOuts::BeginRecall(const OpenFanOut& ref, const Subscriber* up_to, int64_t now_ms,
                          FanOut* fan_out) {
  fan_out->set_recall(true);
  fan_out->set_recalling(true);
  fan_out->clear_after();
  fan_out->clear_gateway();
  fan_out->clear_lease_ms();
  fan_out->clear_ended_at_ms();
  queue_.Release(ref.team_id, ref.message_id);
  if (up_to != nullptr) {
    *fan_out->mutable_up_to() = *up_to;
    if (!queue_.Has(ref.team_id, ref.message_id)) Open(ref);
    return;
  }
  // Nobody has got it.
  fan_out->set_ended_at_ms(now_ms);
  Close(ref);
}

absl::StatusOr<std::optional<ClaimResponse>> FanOuts::Claim(const std::string& gateway,
                                                            absl::Duration lease,
                                                            MonotonicTime now) {
  BELLWIRE_RETURN_IF_ERROR(Load(now));
  while (const std::optional<OpenFanOut> next = queue_.Next(now)) {
    absl::StatusOr<FanOut> fan_out = GetFanOut(next->team_id, next->message_id);
    const absl::StatusOr<TopicMessage> message =
        fan_out.ok() ? GetMessage(next->team_id, next->message_id) : fan_out.status();
    if (absl::IsUnavailable(message.status())) return message.status();
    if (!message.ok()) {
      // Until the next start. What is damaged must not keep the others.
      LogError("fan_out_lost", {{"team", next->team_id},
                                {"message", FormatUuid(next->message_id)},
                                {"error", message.status().message()}});
      queue_.Remove(next->team_id, next->message_id);
      continue;
    }
    if (fan_out->recall() && !fan_out->recalling()) {
      // Who sent has gone without a word, somewhere after the last Advance.
      const Subscriber end = TheEnd();
      BeginRecall(*next, &end, /*now_ms=*/0, &*fan_out);
    }
    ClaimResponse response;
    *response.mutable_message() = message->request();
    if (fan_out->has_after()) *response.mutable_after() = fan_out->after();
    response.set_recall(fan_out->recalling());
    response.set_repeats(!fan_out->gateway().empty());
    if (fan_out->has_up_to()) *response.mutable_up_to() = fan_out->up_to();
    lease = std::min(lease, kMaxClaimLease);
    fan_out->set_gateway(gateway);
    fan_out->set_lease_ms(absl::ToInt64Milliseconds(lease));
    Put(next->team_id, next->message_id, *fan_out);
    queue_.Hold(next->team_id, next->message_id, gateway, now + lease);
    queue_.NoteServed(next->team_id, 1);
    return response;
  }
  return std::nullopt;
}

absl::StatusOr<bool> FanOuts::Advance(const AdvanceRequest& request, int64_t now_ms,
                                      MonotonicTime now) {
  BELLWIRE_RETURN_IF_ERROR(Load(now));
  const std::string& team_id = request.team_id();
  const MessageId message_id = *MessageId::FromBytes(request.message_id());
  if (!queue_.Has(team_id, message_id)) return ClaimLostError("the fan-out has ended");
  const std::string holder = queue_.Holder(team_id, message_id, now);
  if (!holder.empty() && holder != request.gateway()) {
    return ClaimLostError("another gateway has a claim on it");
  }
  BELLWIRE_ASSIGN_OR_RETURN(FanOut fan_out, GetFanOut(team_id, message_id));
  // A claim that has run out and that nobody took is as good as before.
  if (fan_out.gateway() != request.gateway()) {
    return ClaimLostError("the gateway has no claim on it");
  }
  BELLWIRE_ASSIGN_OR_RETURN(const TopicMessage message, GetMessage(team_id, message_id));
  const OpenFanOut ref{message.created_at_ms(), message_id, team_id};
  const bool moves =
      request.has_after() && (!fan_out.has_after() || IsBeyond(request.after(), fan_out.after()));
  if (moves) {
    fan_out.mutable_after()->set_device_id(request.after().device_id());
    fan_out.mutable_after()->set_registration_id(request.after().registration_id());
    if (!fan_out.recalling()) {
      fan_out.set_sent(fan_out.sent() + request.sent());
      fan_out.set_passed_over(fan_out.passed_over() + request.passed_over());
    }
    queue_.NoteServed(team_id, request.sent() + request.passed_over());
  }
  const bool recall = fan_out.recall() && !fan_out.recalling();
  if (recall && (request.release() || request.done())) {
    // Nothing is under way any more.
    const Subscriber came_to = request.done() ? TheEnd() : fan_out.after();
    BeginRecall(ref, request.done() || fan_out.has_after() ? &came_to : nullptr, now_ms, &fan_out);
    Put(team_id, message_id, fan_out);
    return true;
  }
  const absl::Duration lease = std::min(absl::Milliseconds(request.lease_ms()), kMaxClaimLease);
  if (request.done()) {
    fan_out.set_ended_at_ms(now_ms);
    fan_out.clear_gateway();
    fan_out.clear_lease_ms();
    Close(ref);
  } else if (request.release()) {
    fan_out.clear_gateway();
    fan_out.clear_lease_ms();
    queue_.Release(team_id, message_id);
  } else {
    fan_out.set_lease_ms(absl::ToInt64Milliseconds(lease));
    queue_.Hold(team_id, message_id, request.gateway(), now + lease);
  }
  Put(team_id, message_id, fan_out);
  return recall;
}

absl::StatusOr<push::v1::TopicMessage> FanOuts::Get(absl::string_view team_id,
                                                    const MessageId& message_id,
                                                    MonotonicTime now) {
  BELLWIRE_RETURN_IF_ERROR(Load(now));
  BELLWIRE_ASSIGN_OR_RETURN(const FanOut fan_out, GetFanOut(team_id, message_id));
  return Describe(team_id, message_id, fan_out, now);
}

absl::StatusOr<push::v1::TopicMessage> FanOuts::Recall(absl::string_view team_id,
                                                       const MessageId& message_id, int64_t now_ms,
                                                       MonotonicTime now) {
  BELLWIRE_RETURN_IF_ERROR(Load(now));
  BELLWIRE_ASSIGN_OR_RETURN(FanOut fan_out, GetFanOut(team_id, message_id));
  BELLWIRE_ASSIGN_OR_RETURN(const TopicMessage message, GetMessage(team_id, message_id));
  if (!fan_out.recall()) {
    const OpenFanOut ref{message.created_at_ms(), message_id, std::string(team_id)};
    // The bound on those that are open holds for a recall of one that has ended as well.
    if (HasEnded(fan_out) && queue_.CountOf(team_id) >= kMaxOpenFanOutsPerTeam) {
      return LimitError(
          absl::StrCat(kMaxOpenFanOutsPerTeam,
                       " topic messages of this team are being sent, which is the most"));
    }
    if (!queue_.Holder(team_id, message_id, now).empty()) {
      // Its holder is told with its next Advance, and knows how far it is.
      fan_out.set_recall(true);
    } else if (HasEnded(fan_out) || !fan_out.gateway().empty()) {
      const Subscriber end = TheEnd();
      BeginRecall(ref, &end, now_ms, &fan_out);
    } else {
      const Subscriber came_to = fan_out.after();
      BeginRecall(ref, fan_out.has_after() ? &came_to : nullptr, now_ms, &fan_out);
    }
    Put(team_id, message_id, fan_out);
  }
  return Describe(team_id, message_id, fan_out, now);
}

absl::StatusOr<push::v1::TopicMessage> FanOuts::Describe(absl::string_view team_id,
                                                         const MessageId& message_id,
                                                         const FanOut& fan_out,
                                                         MonotonicTime now) const {
  BELLWIRE_ASSIGN_OR_RETURN(const TopicMessage message, GetMessage(team_id, message_id));
  BELLWIRE_ASSIGN_OR_RETURN(const StepCounts steps,
                            ReadTopicSteps(*overlay_, team_id, feeds_(), message_id));
  using push::v1::TopicMessage;
  push::v1::TopicMessage described;
  described.set_message_id(FormatUuid(message_id));
  described.set_topic(message.request().topic());
  described.set_condition(message.request().condition());
  if (fan_out.recall()) {
    described.set_state(HasEnded(fan_out) ? TopicMessage::RECALLED : TopicMessage::RECALLING);
  } else if (HasEnded(fan_out)) {
    described.set_state(TopicMessage::DONE);
  } else {
    described.set_state(queue_.Holder(team_id, message_id, now).empty() ? TopicMessage::WAITING
                                                                        : TopicMessage::RUNNING);
  }
  *described.mutable_create_time() = TimeUtil::MillisecondsToTimestamp(message.created_at_ms());
  if (HasEnded(fan_out)) {
    *described.mutable_end_time() = TimeUtil::MillisecondsToTimestamp(fan_out.ended_at_ms());
  }
  described.set_subscribers(static_cast<int64_t>(message.subscribers()));
  described.set_sent(fan_out.sent());
  described.set_passed_over(fan_out.passed_over());
  described.set_traceparent(FormatTraceparent(message.request().message().trace_context()));
  for (const auto& [step, messages] : steps) {
    auto* entry = described.add_steps();
    entry->set_step(step);
    entry->set_messages(messages);
  }
  return described;
}

absl::Status FanOuts::EndAll(absl::string_view team_id, int64_t now_ms, MonotonicTime now) {
  BELLWIRE_RETURN_IF_ERROR(Load(now));
  std::vector<std::pair<OpenFanOut, FanOut>> all;
  for (const OpenFanOut& ref : queue_.OfTeam(team_id)) {
    BELLWIRE_ASSIGN_OR_RETURN(FanOut fan_out, GetFanOut(team_id, ref.message_id));
    all.emplace_back(ref, std::move(fan_out));
  }
  for (auto& [ref, fan_out] : all) {
    fan_out.set_ended_at_ms(now_ms);
    fan_out.clear_gateway();
    fan_out.clear_lease_ms();
    Put(team_id, ref.message_id, fan_out);
    Close(ref);
  }
  return absl::OkStatus();
}

absl::Status FanOuts::Wake(const TimelineEntry& entry, int64_t now_ms, MonotonicTime now) {
  BELLWIRE_RETURN_IF_ERROR(Load(now));
  const MessageId& message_id = entry.message.message_id;
  absl::StatusOr<FanOut> fan_out = GetFanOut(entry.team_id, message_id);
  if (absl::IsNotFound(fan_out.status()) ||
      (fan_out.ok() && fan_out->wake_at_ms() != entry.time_ms)) {
    overlay_->Delete(Family::kTimeline, TimelineKey(entry));
    return absl::OkStatus();
  }
  BELLWIRE_RETURN_IF_ERROR(fan_out.status());
  BELLWIRE_ASSIGN_OR_RETURN(const TopicMessage message, GetMessage(entry.team_id, message_id));
  overlay_->Delete(Family::kTimeline, TimelineKey(entry));
  if (!HasEnded(*fan_out)) {
    // As long as its messages can still reach somebody, or somebody is at it.
    if (message.request().message().expires_at_ms() > now_ms ||
        !queue_.Holder(entry.team_id, message_id, now).empty()) {
      TimelineEntry later = entry;
      later.time_ms = now_ms + absl::ToInt64Milliseconds(kForgetAgainAfter);
      overlay_->Put(Family::kTimeline, TimelineKey(later), std::string());
      fan_out->set_wake_at_ms(later.time_ms);
      Put(entry.team_id, message_id, *fan_out);
      return absl::OkStatus();
    }
    Close({message.created_at_ms(), message_id, entry.team_id});
  }
  overlay_->Delete(Family::kTopics, TopicMessageKey(entry.team_id, message_id));
  overlay_->Delete(Family::kTopics, FanOutKey(entry.team_id, message_id));
  overlay_->Delete(Family::kTopics, TopicStepsKey(entry.team_id, message_id));
  return absl::OkStatus();
}

bool FanOuts::IsClaimable(MonotonicTime now) {
  return Load(now).ok() && queue_.Next(now).has_value();
}

}  // namespace bellwire::registry
