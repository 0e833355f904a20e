#ifndef BELLWIRE_CONNECTOR_SESSION_DELIVERY_ORDER_H_
#define BELLWIRE_CONNECTOR_SESSION_DELIVERY_ORDER_H_

#include <array>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "bellwire/device/v1/device.pb.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "rpc/priority.h"

namespace bellwire::connector {

// "Now or never": ttl zero. Such a message is in no page; it is handed over or comes not at all.
bool IsNowOrNever(const internal::v1::Envelope& message);

// Which messages of its mailbox a session sends, and when: those of each priority in the order of
// the mailbox, and none to a device that is not to be disturbed.
//
// Pages and hand-overs come in the order of the registry's commits (rpc/session_ends.h). So a
// priority needs two things only. Its cursor says up to where it was sent. Its flag says that it is
// behind: a message after the cursor was handed over and dropped, because the window was full or
// the gate closed. While it is behind, hand-overs of it are dropped, and pages are pulled. Only a
// page that reached the end of the mailbox ends that; what came before that page is in it, and what
// comes after it is handed over behind it.
//
// The gate: HIGH always passes; NORMAL while the device is ACTIVE, or while the radio is up anyway;
// LOW while it is ACTIVE.
//
//            SetActivity(ACTIVE); for NORMAL also OpenForNormal
//    CLOSED ──────────────────────────────────────────────────────▶ OPEN
//      ▲                                                              │
//      └── SetActivity(IDLE); for NORMAL, CloseIfThrough after that ──┘
//
// Thread-compatible. Holds no heap memory.
class DeliveryOrder {
 public:
  // Writes the message to the device. False: the window has no room for it.
  using TrySend = absl::FunctionRef<bool(const internal::v1::Envelope&)>;

  // --- The gate. Begins ACTIVE. ---

  void SetActivity(device::v1::Activity activity);
  // The radio is up anyway: NORMAL passes until the device has what waits by now.
  void OpenForNormal() { normal_open_ = true; }
  // After everything that may have sent something.
  void CloseIfThrough();
  // What a page is to hold. Never empty.
  PrioritySet open() const;
  // Whether a NORMAL message may wait for the gate to open.
  bool has_waiting_normal() const { return behind_[kNormal] && !IsOpen(kNormal); }

  // --- Messages. ---

  // Bind's answer: what is settled, and a page of what open() said.
  void Start(uint64_t settled_seq, const internal::v1::Page& page, TrySend try_send);
  // A message that was handed over, not a now-or-never one. Sends it if its turn has come.
  void Offer(const internal::v1::Envelope& message, TrySend try_send);
  // Hand-overs were dropped on their way here.
  void FallBehind();

  // Whether a pull may bring something that may be sent.
  bool wants_pull() const { return !pulling() && FirstToPull() < kPriorities; }
  bool pulling() const { return pulling_ < kPriorities; }
  // A pull is going to be asked for: says after which message, and which. HIGH comes first.
  // REQUIRES: wants_pull().
  void StartPull(internal::v1::PullRequest* pull);
  // The answer. REQUIRES: pulling().
  void FinishPull(const internal::v1::Page& page, TrySend try_send);
  void PullFailed() { pulling_ = kPriorities; }

  // --- The stream to the registry. ---

  // It broke: nobody knows what was handed over. Until Resume nothing is sent, and no pull wanted.
  void Suspend();
  bool suspended() const { return suspended_; }
  // The mailbox was seen up to here, as far as it is not known to hold something anyway.
  uint64_t seen_up_to() const;
  // `behind`: the mailbox holds something after seen_up_to().
  void Resume(bool behind);

 private:
  // Places in the arrays, in the order of urgency.
  static constexpr uint8_t kHigh = 0;
  static constexpr uint8_t kNormal = 1;
  static constexpr uint8_t kLow = 2;
  static constexpr uint8_t kPriorities = 3;
  static uint8_t PlaceOf(push::v1::Priority priority);
  static push::v1::Priority PriorityAt(uint8_t place);

  bool IsOpen(uint8_t place) const {
    return place == kHigh || !idle_ || (place == kNormal && normal_open_);
  }
  // kPriorities: none.
  uint8_t FirstToPull() const;

  std::array<uint64_t, kPriorities> cursors_ = {};
  std::array<bool, kPriorities> behind_ = {};
  // Which priority a pull is under way for; kPriorities: none is.
  uint8_t pulling_ = kPriorities;
  bool suspended_ = false;
  bool idle_ = false;
  bool normal_open_ = false;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SESSION_DELIVERY_ORDER_H_
