// What DeviceConnection does with messages: takes them from hand-overs and pages, and sends them
// when their turn has come. The rest of it is in device_connection.cc.

#include <algorithm>
#include <optional>
#include <utility>

#include "connector/doors/bellwire/device_connection.h"
#include "connector/doors/bellwire/frames.h"
#include "rpc/priority.h"

namespace bellwire::connector {

using internal::v1::ConnectorResponse;
using internal::v1::Envelope;

void DeviceConnection::Deliver(internal::v1::Deliver deliver, ConnectorApi::ExchangeDone done) {
  switch (state_) {
    case ConnectionState::kHandshaking:
    case ConnectionState::kAwaitingLogin:
    // The message waits in its mailbox for the session to come.
    case ConnectionState::kDraining:
    case ConnectionState::kClosed:
      return std::move(done)(ConnectorResponse::NO_SESSION);
    case ConnectionState::kBinding:
      // The registry bound this session and knows of it before we do: the page that is on its way
      // may or may not hold the message.
      if (!IsNowOrNever(deliver.message()))
        return DeliverInTurn(std::move(deliver), std::move(done));
      if (before_welcome_.size() >= kMaxNowOrNeverInFlight) {
        return std::move(done)(ConnectorResponse::OVERLOADED);
      }
      before_welcome_.push_back(Pending{std::move(deliver), std::move(done)});
      return;
    case ConnectionState::kActive:
      if (!IsNowOrNever(deliver.message()))
        return DeliverInTurn(std::move(deliver), std::move(done));
      return DeliverNowOrNever(std::move(deliver), std::move(done));
  }
}

void DeviceConnection::DeliverInTurn(internal::v1::Deliver deliver,
                                     ConnectorApi::ExchangeDone done) {
  const uint64_t seq = deliver.message().seq();
  if (deliver.wait_for_ack() && waiters_.full()) {
    NoteMissedDelivery(seq);
    return std::move(done)(ConnectorResponse::OVERLOADED);
  }
  Envelope message = std::move(*deliver.mutable_message());
  const DeliveryQueue::Verdict verdict = queue_.Offer(&message, HasRoomInTurn(message));
  std::string frames;
  switch (verdict) {
    case DeliveryQueue::Verdict::kSend:
      TakeTurn(message, &frames);
      TakeReadyTurns(&frames);
      break;
    case DeliveryQueue::Verdict::kHeld:
    case DeliveryQueue::Verdict::kLater:
    case DeliveryQueue::Verdict::kSeen:
      break;
  }
  // What the cursor has passed is sent, or nobody can say when it will be.
  if (deliver.wait_for_ack() && (seq > queue_.cursor() || window_.IsUnacked(seq))) {
    waiters_.Add(seq, std::move(done));
  } else {
    std::move(done)(ConnectorResponse::TAKEN);
  }
  Send(frames);
  PullIfWanted();
}

void DeviceConnection::DeliverNowOrNever(internal::v1::Deliver deliver,
                                         ConnectorApi::ExchangeDone done) {
  const uint64_t seq = deliver.message().seq();
  const bool sent_already = window_.IsUnacked(seq);
  const bool full = (!sent_already && !window_.HasRoomForNowOrNever()) ||
                    (deliver.wait_for_ack() && waiters_.full());
  std::string frames;
  if (!full && !sent_already) {
    Transmit(deliver.message(), &frames);
    gate_.OpenForNormal();
  }
  queue_.Skip(seq);
  TakeReadyTurns(&frames);
  if (full) {
    std::move(done)(ConnectorResponse::OVERLOADED);
  } else if (deliver.wait_for_ack()) {
    waiters_.Add(seq, std::move(done));
  } else {
    std::move(done)(ConnectorResponse::TAKEN);
  }
  Send(frames);
  PullIfWanted();
}

void DeviceConnection::NoteMissedDelivery(uint64_t seq) {
  if (state_ != ConnectionState::kBinding && state_ != ConnectionState::kActive) return;
  queue_.NoteMissed(seq);
  PullIfWanted();
}

void DeviceConnection::CatchUp() {
  if (state_ != ConnectionState::kBinding && state_ != ConnectionState::kActive) return;
  queue_.CatchUp();
  PullIfWanted();
}

void DeviceConnection::Transmit(const Envelope& message, std::string* frames) {
  if (context_->counters != nullptr) context_->counters->pushes.Add();
  window_.Add(message.seq(), message.payload().size(), WallNowMs(*context_->clock),
              IsNowOrNever(message));
  if (report_deadline_ == kNever) {
    report_deadline_ = Now() + kReportSentAfter;
    Rearm();
  }
  AppendEnvelope(message, frames);
}

bool DeviceConnection::HasRoomInTurn(const Envelope& message) const {
  return !gate_.Passes(message) || window_.HasRoom(message.payload().size());
}

void DeviceConnection::TakeTurn(const Envelope& message, std::string* frames) {
  if (!gate_.Passes(message)) return gate_.Keep(message);
  if (!message.collapse_key().empty()) gate_.NoteReplacement();
  if (PriorityOf(message) == push::v1::PRIORITY_HIGH) gate_.OpenForNormal();
  Transmit(message, frames);
}

void DeviceConnection::TakeReadyTurns(std::string* frames) {
  const auto has_room = [this](const Envelope& message) { return HasRoomInTurn(message); };
  while (std::optional<Envelope> message = queue_.NextReady(has_room)) TakeTurn(*message, frames);
  AnswerPassedWaiters();
}

void DeviceConnection::TakePage(const internal::v1::Page& page, std::string* frames) {
  const uint64_t before = queue_.cursor();
  for (const internal::v1::PassedOver& passed_over : page.passed_over()) {
    if (passed_over.last_seq() <= before) continue;
    gate_.Keep(passed_over.priority(), std::max(passed_over.first_seq(), before + 1),
               passed_over.last_seq());
  }
  gates_turn_ = page.messages().empty();
  uint64_t taken = before;
  for (const Envelope& message : page.messages()) {
    // The registry never answers what isn't after the position; the device must not pay if it does.
    if (message.seq() <= taken) continue;
    taken = message.seq();
    TakeTurn(message, frames);
  }
  queue_.FinishPull(page);
}

void DeviceConnection::AnswerPassedWaiters() {
  waiters_.Answer(ConnectorResponse::TAKEN, [this](uint64_t seq) {
    return seq <= queue_.cursor() && !window_.IsUnacked(seq);
  });
}

void DeviceConnection::PullIfWanted() {
  if (state_ != ConnectionState::kActive) return;
  gate_.CloseIfThrough(queue_.has_caught_up());
  LimitHold();
  LimitNormalWait();
  if (retry_deadline_ != kNever || !window_.HasRoomForPage()) return;
  if (queue_.is_pulling() || gate_.is_pulling()) return;
  if (!queue_.wants_pull() && !gate_.wants_pull()) return;
  internal::v1::PullRequest pull;
  pull.set_device_id(std::string(device_id_.bytes()));
  *pull.mutable_route() = MyRoute();
  // An answer under way may tell of another.
  if (pending_app_requests_ == 0) pull.set_registrations_tag(registrations_tag_);
  // HIGH first: the cursor moves past the others, as if they waited for their priority's sake, and
  // the gate fetches them with what room is left. A cursor that finds nothing and never catches up
  // must not keep them back.
  if (gate_.wants_pull() && (gates_turn_ || !queue_.wants_pull())) {
    gates_turn_ = false;
    gate_.StartPull(&pull);
  } else {
    pull.set_after_seq(queue_.StartPull());
    pull.add_priorities(push::v1::PRIORITY_HIGH);
  }
  pull.set_max_bytes(window_.free_bytes());
  pull.set_max_messages(window_.free_messages());
  host_->Pull(std::move(pull));
}

void DeviceConnection::LimitHold() {
  if (!queue_.is_holding()) {
    hold_deadline_ = kNever;
  } else if (hold_deadline_ == kNever) {
    hold_deadline_ = Now() + kEarlyDeliveryWait;
    Rearm();
  }
}

void DeviceConnection::LimitNormalWait() {
  if (!gate_.has_waiting_normal()) {
    normal_deadline_ = kNever;
  } else if (normal_deadline_ == kNever) {
    normal_deadline_ = Now() + kMaxNormalWait;
    Rearm();
  }
}

DeviceConnection::Outcome DeviceConnection::Evict(const internal::v1::Evict& evict) {
  switch (state_) {
    case ConnectionState::kHandshaking:
    case ConnectionState::kAwaitingLogin:
    case ConnectionState::kClosed:
      return ConnectorResponse::NO_SESSION;
    case ConnectionState::kBinding:
    case ConnectionState::kActive:
    case ConnectionState::kDraining:
      if (login_number_ <= evict.winning_login_number()) Replaced(evict.winning_login_number());
      return ConnectorResponse::TAKEN;
  }
  return ConnectorResponse::NO_SESSION;
}

DeviceConnection::Outcome DeviceConnection::Recall(const internal::v1::Recall& recall) {
  if (state_ != ConnectionState::kActive) return ConnectorResponse::NO_SESSION;
  std::string frame;
  AppendRecall(recall, &frame);
  Send(frame);
  return ConnectorResponse::TAKEN;
}

}  // namespace bellwire::connector
