#ifndef BELLWIRE_CONNECTOR_SESSION_PRIORITY_GATE_H_
#define BELLWIRE_CONNECTOR_SESSION_PRIORITY_GATE_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "bellwire/device/v1/device.pb.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "rpc/priority.h"

namespace bellwire::connector {

// Which messages go to the device when their turn has come, and which wait in the mailbox for their
// priority's sake: HIGH always passes; NORMAL while the device is ACTIVE, or while the radio is up
// anyway; LOW while it is ACTIVE.
//
// The session's cursor (delivery_queue.h) moves on past what waits. The gate remembers no message,
// only from where to where there are any: they stay in the mailbox, and when the gate opens they
// are pulled by priority. Until they are all sent the ones that come after them wait too: messages
// of one priority never overtake each other.
//
//            SetActivity(ACTIVE); for NORMAL also OpenForNormal
//    CLOSED ──────────────────────────────────────────────────────▶ OPEN
//      ▲                                                              │
//      └── SetActivity(IDLE); for NORMAL, CloseIfThrough after that ──┘
//
// Thread-compatible. Holds no heap memory.
class PriorityGate {
 public:
  // Begins ACTIVE.
  void SetActivity(device::v1::Activity activity);
  // The radio is up anyway: NORMAL passes until the device has what is known of by now.
  void OpenForNormal() { normal_open_ = true; }
  // After everything that moved a cursor. `caught_up`: it is where the mailbox ends.
  void CloseIfThrough(bool caught_up);

  // Whether this message, whose turn it is, goes to the device.
  bool Passes(const internal::v1::Envelope& message) const;
  // It doesn't: the cursor has moved past it.
  void Keep(const internal::v1::Envelope& message);
  // A page did not have these, and the cursor has moved past them.
  void Keep(push::v1::Priority priority, uint64_t first_seq, uint64_t last_seq);
  // What a page for the cursor is to hold. Never empty.
  PrioritySet passing() const;
  // Whether a NORMAL message waits for the gate to open.
  bool has_waiting_normal() const {
    return normal_.first != 0 && !IsOpen(push::v1::PRIORITY_NORMAL);
  }

  // Whether something that was kept may go now.
  bool wants_pull() const;
  bool is_pulling() const { return pulling_ != push::v1::PRIORITY_UNSPECIFIED; }
  // A pull for kept messages is going to be asked for: says after which one, and which.
  // REQUIRES: wants_pull(), !is_pulling().
  void StartPull(internal::v1::PullRequest* pull);
  // A message with a collapse key was sent. If the page on its way was read before, it may hold the
  // older message that this one replaced, and the device would take that for the newer: it is to be
  // pulled again.
  void NoteReplacement() { spoiled_ = true; }
  // The answer: `send` gets what goes to the device now. REQUIRES: is_pulling().
  void FinishPull(const internal::v1::Page& page,
                  absl::FunctionRef<void(const internal::v1::Envelope&)> send);
  void PullFailed() { pulling_ = push::v1::PRIORITY_UNSPECIFIED; }

 private:
  // Messages of a priority in first … last wait, and none outside. first == 0: none at all.
  struct Kept {
    uint64_t first = 0;
    uint64_t last = 0;
  };

  bool IsOpen(push::v1::Priority priority) const;
  const Kept& KeptOf(push::v1::Priority priority) const {
    return priority == push::v1::PRIORITY_LOW ? low_ : normal_;
  }
  bool Passes(push::v1::Priority priority) const {
    return priority == push::v1::PRIORITY_HIGH || (IsOpen(priority) && KeptOf(priority).first == 0);
  }

  Kept normal_;
  Kept low_;
  // When the pull was asked for, `last` of its priority: the page accounts for everything up to
  // here.
  uint64_t pull_covers_ = 0;
  push::v1::Priority pulling_ = push::v1::PRIORITY_UNSPECIFIED;
  bool idle_ = false;
  bool normal_open_ = false;
  bool spoiled_ = false;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SESSION_PRIORITY_GATE_H_
