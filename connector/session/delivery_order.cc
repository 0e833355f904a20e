#include "connector/session/delivery_order.h"

#include <algorithm>
#include <cassert>

namespace bellwire::connector {

using internal::v1::Envelope;
using push::v1::Priority;

bool IsNowOrNever(const Envelope& message) {
  return message.gap_dropped() == 0 && message.expires_at_ms() != 0 &&
         message.expires_at_ms() == message.accepted_at_ms();
}

uint8_t DeliveryOrder::PlaceOf(Priority priority) {
  switch (PriorityOf(priority)) {
    case push::v1::PRIORITY_HIGH:
      return kHigh;
    case push::v1::PRIORITY_LOW:
      return kLow;
    default:
      return kNormal;
  }
}

Priority DeliveryOrder::PriorityAt(uint8_t place) {
  return place == kHigh  ? push::v1::PRIORITY_HIGH
         : place == kLow ? push::v1::PRIORITY_LOW
                         : push::v1::PRIORITY_NORMAL;
}

void DeliveryOrder::SetActivity(device::v1::Activity activity) {
  // Who lays the phone down still gets what was on its way: normal_open_ stays until that is
  // through.
  normal_open_ = normal_open_ || !idle_;
  idle_ = activity == device::v1::IDLE;
}

void DeliveryOrder::CloseIfThrough() {
  if (idle_ && !behind_[kNormal] && !suspended_) normal_open_ = false;
}

PrioritySet DeliveryOrder::open() const {
  PrioritySet set;
  for (uint8_t place = 0; place < kPriorities; ++place) {
    if (IsOpen(place)) set.Add(PriorityAt(place));
  }
  return set;
}

void DeliveryOrder::Start(uint64_t settled_seq, const internal::v1::Page& page, TrySend try_send) {
  cursors_.fill(settled_seq);
  for (const internal::v1::PassedOver& passed_over : page.passed_over()) {
    const uint8_t place = PlaceOf(passed_over.priority());
    behind_[place] = true;
    cursors_[place] = std::max(settled_seq, passed_over.first_seq() - 1);
  }
  for (const Envelope& message : page.messages()) {
    const uint8_t place = PlaceOf(PriorityOf(message));
    if (behind_[place] || message.seq() <= cursors_[place]) continue;
    if (IsOpen(place) && try_send(message)) {
      cursors_[place] = message.seq();
    } else {
      behind_[place] = true;
    }
  }
  for (uint8_t place = 0; place < kPriorities; ++place) {
    if (!behind_[place]) cursors_[place] = std::max(cursors_[place], page.complete_to_seq());
    behind_[place] |= page.more();
  }
}

void DeliveryOrder::Offer(const Envelope& message, TrySend try_send) {
  // The mailbox is looked at by Resume, which comes later.
  if (suspended_) return;
  const uint8_t place = PlaceOf(PriorityOf(message));
  const uint64_t seq = message.seq();
  if (seq <= cursors_[place]) return;
  if (!behind_[place] && IsOpen(place) && try_send(message)) {
    cursors_[place] = seq;
  } else {
    behind_[place] = true;
  }
  // Whatever comes before this one was handed over before it.
  for (uint8_t other = 0; other < kPriorities; ++other) {
    if (!behind_[other]) cursors_[other] = std::max(cursors_[other], seq);
  }
}

void DeliveryOrder::FallBehind() { behind_.fill(true); }

uint8_t DeliveryOrder::FirstToPull() const {
  uint8_t place = 0;
  if (suspended_) return kPriorities;
  while (place < kPriorities && !(behind_[place] && IsOpen(place))) ++place;
  return place;
}

void DeliveryOrder::StartPull(internal::v1::PullRequest* pull) {
  assert(wants_pull());
  pulling_ = FirstToPull();
  pull->set_after_seq(cursors_[pulling_]);
  pull->add_priorities(PriorityAt(pulling_));
}

void DeliveryOrder::FinishPull(const internal::v1::Page& page, TrySend try_send) {
  assert(pulling());
  const uint8_t place = pulling_;
  pulling_ = kPriorities;
  // The device may have been laid down meanwhile.
  if (!IsOpen(place)) return;
  for (const Envelope& message : page.messages()) {
    // The registry never answers what wasn't asked for; the device must not pay if it does.
    if (PlaceOf(PriorityOf(message)) != place || message.seq() <= cursors_[place]) continue;
    if (!try_send(message)) return;
    cursors_[place] = message.seq();
  }
  cursors_[place] = std::max(cursors_[place], page.complete_to_seq());
  behind_[place] = page.more();
}

void DeliveryOrder::Suspend() {
  suspended_ = true;
  pulling_ = kPriorities;
}

uint64_t DeliveryOrder::seen_up_to() const {
  uint64_t seen = UINT64_MAX;
  for (uint8_t place = 0; place < kPriorities; ++place) {
    if (!behind_[place]) seen = std::min(seen, cursors_[place]);
  }
  return seen;
}

void DeliveryOrder::Resume(bool behind) {
  suspended_ = false;
  if (behind) FallBehind();
}

}  // namespace bellwire::connector
