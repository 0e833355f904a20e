#include "gateway/topics/fan_out.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/string_view.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/log.h"
#include "gateway/topics/fan_out_id.h"

namespace bellwire::gateway {
namespace {

using internal::v1::AdvanceRequest;
using internal::v1::AdvanceResponse;
using internal::v1::AppendRequest;
using internal::v1::AppendResponse;
using internal::v1::PageSubscribersRequest;
using internal::v1::PageSubscribersResponse;
using internal::v1::Subscriber;

// How often it looks whether something is due.
constexpr absl::Duration kTick = absl::Milliseconds(50);

std::optional<Condition> ConditionOf(const internal::v1::PublishTopicRequest& message) {
  if (message.condition().empty()) return Condition::OfTopic(message.topic());
  absl::StatusOr<Condition> condition = Condition::Parse(message.condition());
  if (condition.ok()) return *std::move(condition);
  LogError("fan_out_condition_unreadable",
           {{"team", message.team_id()}, {"status", condition.status().ToString()}});
  return std::nullopt;
}

bool IsAfter(const Subscriber& a, const Subscriber& b) {
  return std::forward_as_tuple(a.device_id(), a.registration_id()) >
         std::forward_as_tuple(b.device_id(), b.registration_id());
}

// Whether the registry could not do it now, or it is not known whether it did.
bool IsForLater(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kAborted:
      return true;
    case absl::StatusCode::kResourceExhausted: {
      const std::string reason = ErrorReason(status);
      return reason != "MAILBOX_FULL" && reason != "QUOTA_EXCEEDED";
    }
    default:
      return false;
  }
}

// What happens to one subscriber and is no fault of the server.
bool IsOrdinary(absl::string_view reason) {
  return reason == "UNREGISTERED" || reason == "TOKEN_NOT_FOR_TEAM" || reason == "MAILBOX_FULL" ||
         reason == "QUOTA_EXCEEDED" || reason == "MESSAGE_NOT_FOUND" || reason == "LIMIT_REACHED";
}

}  // namespace

std::shared_ptr<FanOut> FanOut::Start(const FanOutWorld& world, std::string gateway,
                                      internal::v1::ClaimResponse claim, Listener listener) {
  std::shared_ptr<FanOut> fan_out(
      new FanOut(world, std::move(gateway), std::move(claim), std::move(listener)));
  fan_out->timer_->Arm(kTick);
  fan_out->MoveOn();
  return fan_out;
}

FanOut::FanOut(const FanOutWorld& world, std::string gateway, internal::v1::ClaimResponse claim,
               Listener listener)
    : world_(world),
      gateway_(std::move(gateway)),
      message_(std::move(*claim.mutable_message())),
      message_id_(MessageId::FromBytes(message_.message_id()).value_or(MessageId())),
      recalls_(claim.recall()),
      up_to_(claim.has_up_to() ? std::optional(claim.up_to()) : std::nullopt),
      condition_(ConditionOf(message_)),
      listener_(std::move(listener)),
      timer_(world.loop->NewTimer([this] { OnTimer(); })),
      noted_at_(Now()),
      lease_end_(Now() + kLease) {
  if (claim.has_after()) read_to_ = std::move(*claim.mutable_after());
  if (!condition_.has_value()) all_read_ = true;
}

bool FanOut::WantsTurn() const {
  if (ended_ || !LeaseHolds() || Now() < retry_at_) return false;
  if (!to_retry_.empty()) return true;
  return !stopping_ && next_ < end() && next_ - noted_ < kMaxNotNoted;
}

void FanOut::TakeTurn() {
  uint64_t number = 0;
  if (to_retry_.empty()) {
    number = next_++;
    SkipOver();
  } else {
    number = to_retry_.front();
    to_retry_.pop_front();
  }
  if (recalls_) return Recall(number);
  Send(number);
}

void FanOut::Stop() {
  stopping_ = true;
  MoveOn();
}

template <typename Response>
Done<Response> FanOut::OnLoop(
    absl::AnyInvocable<void(FanOut*, absl::StatusOr<Response>, absl::Duration took) &&> then) {
  return [weak = weak_from_this(), post = world_.post, clock = &world_.loop->clock(),
          began = world_.loop->clock().Monotonic(),
          then = std::move(then)](absl::StatusOr<Response> answer) mutable {
    const absl::Duration took = clock->Monotonic() - began;
    post([weak = std::move(weak), then = std::move(then), answer = std::move(answer),
          took]() mutable {
      const std::shared_ptr<FanOut> self = weak.lock();
      if (self != nullptr && !self->ended_) {
        std::move(then)(self.get(), std::move(answer), took);
      }
    });
  };
}

// --- Reading. ---

void FanOut::ReadPage() {
  reading_ = true;
  PageSubscribersRequest request;
  request.set_team_id(message_.team_id());
  for (const std::string& topic : condition_->topics()) request.add_topics(topic);
  if (read_to_.has_value()) *request.mutable_after() = *read_to_;
  request.set_max_subscribers(kPageSize);
  request.set_app_id(message_.app_id());
  world_.topics->PageSubscribers(
      std::move(request),
      OnLoop<PageSubscribersResponse>([](FanOut* self, absl::StatusOr<PageSubscribersResponse> page,
                                         absl::Duration) { self->OnPage(std::move(page)); }));
}

void FanOut::OnPage(absl::StatusOr<PageSubscribersResponse> page) {
  reading_ = false;
  if (!page.ok()) {
    // The timer reads again.
    if (!IsForLater(page.status()) && !refusal_logged_) {
      refusal_logged_ = true;
      LogError("fan_out_page_failed", {{"team", team_id()}, {"status", page.status().ToString()}});
    }
    return;
  }
  all_read_ = !page->more() || page->subscribers().empty();
  for (Subscriber& subscriber : *page->mutable_subscribers()) {
    if (up_to_.has_value() && IsAfter(subscriber, *up_to_)) {
      // Nobody from here on was sent it.
      all_read_ = true;
      break;
    }
    Entry::State state = Entry::State::kWaits;
    if (subscriber.topics() == 0) {
      state = Entry::State::kNobody;
    } else if (!condition_->HoldsFor(subscriber.topics())) {
      state = Entry::State::kPassedOver;
    }
    entries_.push_back({std::move(subscriber), state});
  }
  if (!entries_.empty()) read_to_ = entries_.back().subscriber;
  SkipOver();
  MoveOn();
  if (!ended_) listener_.on_ready();
}

void FanOut::SkipOver() {
  while (next_ < end() && At(next_).is_over()) ++next_;
}

// --- Sending, and taking back. ---

void FanOut::Send(uint64_t number) {
  Entry& entry = At(number);
  const internal::v1::Envelope& message = message_.message();
  const bool now_or_never = message.expires_at_ms() == message.accepted_at_ms();
  const int64_t now_ms = WallNowMs(world_.loop->clock());
  if (!now_or_never && message.expires_at_ms() <= now_ms) {
    entry.state = Entry::State::kPassedOver;
    return MoveOn();
  }
  const MessageId id =
      FanOutMessageId(message_id_, *DeviceId::FromBytes(entry.subscriber.device_id()),
                      entry.subscriber.registration_id());
  AppendRequest append;
  append.set_device_id(entry.subscriber.device_id());
  append.set_registration_id(entry.subscriber.registration_id());
  append.set_team_id(message_.team_id());
  internal::v1::Envelope& envelope = *append.mutable_message();
  envelope = message;
  envelope.set_message_id(std::string(id.bytes()));
  envelope.set_registration_id(entry.subscriber.registration_id());
  envelope.set_topic_message_id(message_.message_id());
  if (now_or_never) {
    // Nobody waits for the answer, so it may wait in the mailbox for as long as a Send would.
    envelope.set_accepted_at_ms(now_ms);
    envelope.set_expires_at_ms(now_ms + absl::ToInt64Milliseconds(kNowOrNeverWait));
  }
  entry.state = Entry::State::kUnderWay;
  ++under_way_;
  world_.mailboxes->Append(
      std::move(append),
      OnLoop<AppendResponse>(
          [number](FanOut* self, absl::StatusOr<AppendResponse> appended, absl::Duration took) {
            self->OnAnswer(number, appended.status(), took);
          }));
}

void FanOut::Recall(uint64_t number) {
  Entry& entry = At(number);
  const MessageId id =
      FanOutMessageId(message_id_, *DeviceId::FromBytes(entry.subscriber.device_id()),
                      entry.subscriber.registration_id());
  internal::v1::RecallRequest recall;
  recall.set_device_id(entry.subscriber.device_id());
  recall.set_registration_id(entry.subscriber.registration_id());
  recall.set_team_id(message_.team_id());
  recall.set_message_id(std::string(id.bytes()));
  entry.state = Entry::State::kUnderWay;
  ++under_way_;
  world_.mailboxes->Recall(
      std::move(recall),
      OnLoop<internal::v1::RecallResponse>(
          [number](FanOut* self, absl::StatusOr<internal::v1::RecallResponse> recalled,
                   absl::Duration took) { self->OnAnswer(number, recalled.status(), took); }));
}

void FanOut::OnAnswer(uint64_t number, const absl::Status& status, absl::Duration took) {
  --under_way_;
  const std::string reason = ErrorReason(status);
  if (!status.ok() && IsForLater(status)) {
    RetryLater(number);
    listener_.on_call(status);
    return MoveOn();
  }
  retry_ = absl::ZeroDuration();
  Entry& entry = At(number);
  if (status.ok()) {
    entry.state = Entry::State::kSent;
  } else {
    entry.state = Entry::State::kPassedOver;
    if (!recalls_ && (reason == "UNREGISTERED" || reason == "TOKEN_NOT_FOR_TEAM")) {
      CleanUp(entry.subscriber);
    } else if (!IsOrdinary(reason) && !refusal_logged_) {
      refusal_logged_ = true;
      LogError("fan_out_message_refused", {{"team", team_id()},
                                           {"topic_message", FormatUuid(message_id_)},
                                           {"status", status.ToString()}});
    }
  }
  MoveOn();
  if (!ended_) listener_.on_call(took);
}

void FanOut::RetryLater(uint64_t number) {
  At(number).state = Entry::State::kToRetry;
  to_retry_.push_back(number);
  const MonotonicTime now = Now();
  // Answers that come together are one failure.
  if (now < retry_at_) return;
  retry_ = retry_ == absl::ZeroDuration() ? kFirstRetry : std::min(2 * retry_, kLastRetry);
  retry_at_ = now + retry_;
}

void FanOut::CleanUp(const Subscriber& subscriber) {
  for (size_t i = 0; i < condition_->topics().size(); ++i) {
    if (((subscriber.topics() >> i) & 1) == 0 || clean_ups_ >= kMaxCleanUps) continue;
    ++clean_ups_;
    internal::v1::ChangeSubscriptionRequest change;
    change.set_device_id(subscriber.device_id());
    change.set_registration_id(subscriber.registration_id());
    change.set_team_id(message_.team_id());
    change.set_topic(condition_->topics()[i]);
    change.set_subscribed(false);
    // Whatever comes of it: the next fan-out finds it again.
    world_.topics->ChangeSubscription(
        std::move(change),
        OnLoop<internal::v1::ChangeSubscriptionResponse>(
            [](FanOut* self, absl::StatusOr<internal::v1::ChangeSubscriptionResponse>,
               absl::Duration) { --self->clean_ups_; }));
  }
}

// --- Noting. ---

void FanOut::MoveOn() {
  TakeAwayFront();
  if (!reading_ && !all_read_ && !stopping_ && entries_.size() < kPageSize) ReadPage();
  // A note is repeated by the timer until it is confirmed; until then there is no other.
  if (ended_ || note_.has_value()) return;
  const bool all_is_over = all_read_ && entries_.empty() && !recall_asked_;
  const bool stopped = stopping_ && under_way_ == 0 && to_retry_.empty();
  const MonotonicTime now = Now();
  if (all_is_over) {
    MakeNote(/*done=*/true, /*release=*/false);
  } else if (stopped) {
    MakeNote(/*done=*/false, /*release=*/true);
  } else if (first_ - noted_ >= kNoteEvery ||
             (first_ > noted_ && now - noted_at_ >= kNoteInterval) ||
             now - noted_at_ >= kLease / 3) {
    MakeNote(/*done=*/false, /*release=*/false);
  }
}

void FanOut::TakeAwayFront() {
  while (!entries_.empty() && entries_.front().is_over()) {
    Entry& entry = entries_.front();
    const bool sent = entry.state == Entry::State::kSent;
    if (entry.state != Entry::State::kNobody) {
      ++(sent ? sent_ : passed_over_);
      ++(sent ? sent_not_noted_ : passed_over_not_noted_);
    }
    over_to_ = std::move(entry.subscriber);
    entries_.pop_front();
    ++first_;
    next_ = std::max(next_, first_);
  }
}

void FanOut::MakeNote(bool done, bool release) {
  AdvanceRequest& note = note_.emplace();
  note.set_team_id(message_.team_id());
  note.set_message_id(message_.message_id());
  note.set_gateway(gateway_);
  if (over_to_.has_value()) *note.mutable_after() = *over_to_;
  if (!recalls_) {
    note.set_sent(std::exchange(sent_not_noted_, 0));
    note.set_passed_over(std::exchange(passed_over_not_noted_, 0));
  }
  note.set_done(done);
  note.set_release(release);
  if (!release) note.set_lease_ms(absl::ToInt64Milliseconds(kLease));
  note_to_ = first_;
  SendNote();
}

void FanOut::SendNote() {
  noting_ = true;
  note_began_ = Now();
  world_.topics->Advance(
      *note_, OnLoop<AdvanceResponse>([](FanOut* self, absl::StatusOr<AdvanceResponse> noted,
                                         absl::Duration) { self->OnNoted(std::move(noted)); }));
}

void FanOut::OnNoted(absl::StatusOr<AdvanceResponse> noted) {
  noting_ = false;
  if (!noted.ok()) {
    if (IsForLater(noted.status())) return;
    return Finish(End::kLost);
  }
  const bool done = note_->done();
  const bool release = note_->release();
  note_.reset();
  if (done) return Finish(End::kDone);
  if (release) return Finish(End::kReleased);
  noted_ = note_to_;
  noted_at_ = note_began_;
  lease_end_ = note_began_ + kLease;
  if (noted->recall() && !recalls_) {
    recall_asked_ = true;
    stopping_ = true;
  }
  MoveOn();
  if (!ended_) listener_.on_ready();
}

void FanOut::OnTimer() {
  if (ended_) return;
  if (!LeaseHolds()) return Finish(End::kLost);
  timer_->Arm(kTick);
  if (note_.has_value() && !noting_ && Now() - note_began_ >= kFirstRetry) SendNote();
  MoveOn();
  if (!ended_) listener_.on_ready();
}

void FanOut::Finish(End end) {
  ended_ = true;
  timer_->Cancel();
  listener_.on_end(end);
}

}  // namespace bellwire::gateway
