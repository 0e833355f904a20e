#include "connector/session/delivery_queue.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "common/limits.h"

namespace bellwire::connector {

using internal::v1::Envelope;

bool IsNowOrNever(const Envelope& message) {
  return message.gap_dropped() == 0 && message.expires_at_ms() != 0 &&
         message.expires_at_ms() == message.accepted_at_ms();
}

DeliveryQueue::Verdict DeliveryQueue::Offer(Envelope* message, bool has_room) {
  const uint64_t seq = message->seq();
  if (seq <= cursor_) return Verdict::kSeen;
  if (mode_ != Mode::kFollowing) {
    heard_ = std::max(heard_, seq);
    return Verdict::kLater;
  }
  if (seq == cursor_ + 1) {
    if (has_room) {
      cursor_ = seq;
      return Verdict::kSend;
    }
  } else if (Hold(Held{seq, std::move(*message)})) {
    return Verdict::kHeld;
  }
  heard_ = std::max(heard_, seq);
  FallBehind();
  return Verdict::kLater;
}

void DeliveryQueue::NoteMissed(uint64_t seq) {
  if (seq <= cursor_) return;
  heard_ = std::max(heard_, seq);
  if (mode_ == Mode::kFollowing) FallBehind();
}

void DeliveryQueue::CatchUp() {
  if (mode_ == Mode::kFollowing) FallBehind();
  if (mode_ == Mode::kPulling) pull_again_ = true;
}

void DeliveryQueue::Skip(uint64_t seq) {
  if (seq <= cursor_) return;
  if (mode_ != Mode::kFollowing) {
    heard_ = std::max(heard_, seq);
  } else if (seq == cursor_ + 1) {
    cursor_ = seq;
  } else if (!Hold(Held{seq, std::nullopt})) {
    heard_ = std::max(heard_, seq);
    FallBehind();
  }
}

std::optional<Envelope> DeliveryQueue::NextReady(
    absl::FunctionRef<bool(const Envelope&)> has_room) {
  std::optional<Envelope> next;
  Held* it = held_.begin();
  while (it != held_.end() && it->seq <= cursor_ + 1 && !next.has_value()) {
    if (it->seq == cursor_ + 1) {
      if (it->message.has_value() && !has_room(*it->message)) {
        FallBehind();
        return std::nullopt;
      }
      cursor_ = it->seq;
      next = std::move(it->message);
    }
    ++it;
  }
  held_.erase(held_.begin(), it);
  return next;
}

void DeliveryQueue::StopHolding() {
  if (is_holding()) FallBehind();
}

uint64_t DeliveryQueue::StartPull() {
  assert(wants_pull());
  mode_ = Mode::kPulling;
  pull_covers_ = heard_;
  pull_again_ = false;
  return cursor_;
}

void DeliveryQueue::FinishPull(const internal::v1::Page& page) {
  assert(is_pulling());
  cursor_ = std::max(cursor_, page.complete_to_seq());
  if (!page.messages().empty()) {
    cursor_ = std::max(cursor_, page.messages(page.messages_size() - 1).seq());
  }
  // The registry committed what was heard of before it read the page: if it isn't in there, it is
  // settled. (So each pull gets somewhere, whatever the registry says.)
  if (!page.more()) cursor_ = std::max(cursor_, pull_covers_);
  mode_ = page.more() || heard_ > cursor_ || pull_again_ ? Mode::kBehind : Mode::kFollowing;
}

void DeliveryQueue::PullFailed() {
  assert(is_pulling());
  mode_ = Mode::kBehind;
}

// False if there are too many already.
bool DeliveryQueue::Hold(Held held) {
  const Held* const at = std::lower_bound(held_.begin(), held_.end(), held.seq,
                                          [](const Held& h, uint64_t seq) { return h.seq < seq; });
  if (at != held_.end() && at->seq == held.seq) return true;
  if (held_.size() >= kMaxEarlyDeliveries) return false;
  held_.insert(at, std::move(held));
  return true;
}

void DeliveryQueue::FallBehind() {
  if (!held_.empty()) heard_ = std::max(heard_, held_.back().seq);
  held_.clear();
  mode_ = Mode::kBehind;
}

}  // namespace bellwire::connector
