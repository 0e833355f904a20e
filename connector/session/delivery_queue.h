#ifndef BELLWIRE_CONNECTOR_SESSION_DELIVERY_QUEUE_H_
#define BELLWIRE_CONNECTOR_SESSION_DELIVERY_QUEUE_H_

#include <cstdint>
#include <optional>

#include "absl/functional/function_ref.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "connector/session/idle_vector.h"

namespace bellwire::connector {

// "Now or never": ttl zero. Such a message is in no page; it comes as a delivery or not at all.
bool IsNowOrNever(const internal::v1::Envelope& message);

// Puts what a session sends into the order of the mailbox. Messages come from two sides, pages of
// the mailbox and the registry's hand-overs, and they overtake each other. The queue keeps a
// cursor: everything up to it is sent, settled, or waits for its priority's sake (priority_gate.h).
// It follows the deliveries while they continue the cursor (one that came early waits for the gap
// to close); as soon as one can't be sent in its turn it is dropped, because the mailbox has it,
// and pages are pulled until the cursor has caught up.
//
//            a delivery that can't go out in its turn         StartPull
//   FOLLOWING ───────────────────────────────────▶ BEHIND ──────────────▶ PULLING (initially: Bind)
//       ▲                                            ▲    PullFailed, or      │
//       │                                            └─── a page, and more ───┤
//       └────────────────────────────── a page, and nothing more ─────────────┘
//
// Thread-compatible. Holds no heap memory while no delivery waits.
class DeliveryQueue {
 public:
  enum class Verdict {
    // It is the next one: send it, or leave it in the mailbox, then whatever NextReady gives.
    kSend,
    // Came early and waits for its turn.
    kHeld,
    // Dropped; comes with a page.
    kLater,
    // Was sent in this session or is settled.
    kSeen,
  };

  // A delivery of a message that waits its turn. kHeld moves from `message`. `has_room`: whether
  // the window takes it.
  Verdict Offer(internal::v1::Envelope* message, bool has_room);
  // A delivery never came here, for want of room between threads, say: it is in the mailbox.
  void NoteMissed(uint64_t seq);
  // Deliveries may be missing, nobody knows which: look into the mailbox, once more if a pull is
  // under way.
  void CatchUp();
  // A now-or-never message was sent or refused, its turn or not: nobody needs to wait for it.
  // NextReady may have something now.
  void Skip(uint64_t seq);
  // The next message that waited here, if its turn has come. Falls behind if `has_room` says no.
  std::optional<internal::v1::Envelope> NextReady(
      absl::FunctionRef<bool(const internal::v1::Envelope&)> has_room);

  bool is_holding() const { return !held_.empty(); }
  // The gap before the held ones doesn't close: fetch what is missing.
  void StopHolding();

  bool wants_pull() const { return mode_ == Mode::kBehind; }
  bool is_pulling() const { return mode_ == Mode::kPulling; }
  // Everything that was heard of is sent, settled, or waits for its priority's sake: an early
  // delivery says that something before it is still to come.
  bool has_caught_up() const { return mode_ == Mode::kFollowing && !is_holding(); }
  // A pull is going to be asked for; returns the position after which. REQUIRES: wants_pull().
  uint64_t StartPull();
  // The answer to StartPull, or Bind's page: its messages have their turn now, all of those after
  // cursor(). REQUIRES: is_pulling().
  void FinishPull(const internal::v1::Page& page);
  void PullFailed();

  // At the start: what Bind says is settled.
  void SetSettled(uint64_t seq) { cursor_ = seq; }
  uint64_t cursor() const { return cursor_; }

 private:
  enum class Mode : uint8_t { kFollowing, kBehind, kPulling };
  // A delivery that came early; without a message if it needs no turn (Skip).
  struct Held {
    uint64_t seq;
    std::optional<internal::v1::Envelope> message;
  };

  bool Hold(Held held);
  void FallBehind();

  uint64_t cursor_ = 0;
  // The greatest seq that was dropped in favour of a page.
  uint64_t heard_ = 0;
  // heard_ when the pull was asked for: the page accounts for everything up to here.
  uint64_t pull_covers_ = 0;
  // In the order of seq; at most kMaxEarlyDeliveries; only in kFollowing.
  IdleVector<Held> held_;
  Mode mode_ = Mode::kPulling;
  // CatchUp came while a pull was under way.
  bool pull_again_ = false;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SESSION_DELIVERY_QUEUE_H_
