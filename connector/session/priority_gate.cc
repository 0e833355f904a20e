#include "connector/session/priority_gate.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace bellwire::connector {

using internal::v1::Envelope;
using push::v1::Priority;
using push::v1::PRIORITY_HIGH;
using push::v1::PRIORITY_LOW;
using push::v1::PRIORITY_NORMAL;

void PriorityGate::SetActivity(device::v1::Activity activity) {
  // Who lays the phone down still gets what was on its way: normal_open_ stays until that is
  // through.
  normal_open_ = normal_open_ || !idle_;
  idle_ = activity == device::v1::IDLE;
}

void PriorityGate::CloseIfThrough(bool caught_up) {
  if (idle_ && caught_up && normal_.first == 0) normal_open_ = false;
}

bool PriorityGate::IsOpen(Priority priority) const {
  return priority == PRIORITY_HIGH || !idle_ || (priority == PRIORITY_NORMAL && normal_open_);
}

bool PriorityGate::Passes(const Envelope& message) const { return Passes(PriorityOf(message)); }

void PriorityGate::Keep(const Envelope& message) {
  Keep(PriorityOf(message), message.seq(), message.seq());
}

void PriorityGate::Keep(Priority priority, uint64_t first_seq, uint64_t last_seq) {
  assert(priority != PRIORITY_HIGH);
  Kept& kept = priority == PRIORITY_LOW ? low_ : normal_;
  kept.first = kept.first == 0 ? first_seq : std::min(kept.first, first_seq);
  kept.last = std::max(kept.last, last_seq);
}

PrioritySet PriorityGate::passing() const {
  PrioritySet set;
  for (const Priority priority : {PRIORITY_HIGH, PRIORITY_NORMAL, PRIORITY_LOW}) {
    if (Passes(priority)) set.Add(priority);
  }
  return set;
}

bool PriorityGate::wants_pull() const {
  return !is_pulling() && ((normal_.first != 0 && IsOpen(PRIORITY_NORMAL)) ||
                           (low_.first != 0 && IsOpen(PRIORITY_LOW)));
}

void PriorityGate::StartPull(internal::v1::PullRequest* pull) {
  assert(wants_pull());
  pulling_ = normal_.first != 0 && IsOpen(PRIORITY_NORMAL) ? PRIORITY_NORMAL : PRIORITY_LOW;
  pull_covers_ = KeptOf(pulling_).last;
  spoiled_ = false;
  pull->set_after_seq(KeptOf(pulling_).first - 1);
  pull->add_priorities(pulling_);
}

void PriorityGate::FinishPull(const internal::v1::Page& page,
                              absl::FunctionRef<void(const Envelope&)> send) {
  assert(is_pulling());
  const Priority priority = std::exchange(pulling_, push::v1::PRIORITY_UNSPECIFIED);
  // The device may have been laid down meanwhile.
  if (spoiled_ || !IsOpen(priority)) return;
  Kept& kept = priority == PRIORITY_LOW ? low_ : normal_;
  for (const Envelope& message : page.messages()) {
    // What is after the last one has its turn still to come.
    if (message.seq() < kept.first || message.seq() > kept.last) continue;
    if (PriorityOf(message) != priority) continue;
    kept.first = message.seq() + 1;
    send(message);
  }
  uint64_t through = page.complete_to_seq();
  // As for the cursor's pages: the registry knew of all of them before it read the page.
  if (!page.more()) through = std::max(through, pull_covers_);
  if (through >= kept.last) {
    kept = Kept();
  } else {
    kept.first = std::max(kept.first, through + 1);
  }
}

}  // namespace bellwire::connector
