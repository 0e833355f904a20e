#ifndef BELLWIRE_NET_TLS_HANDSHAKE_QUEUE_H_
#define BELLWIRE_NET_TLS_HANDSHAKE_QUEUE_H_

#include <cstddef>
#include <functional>
#include <memory>

#include "absl/time/time.h"
#include "common/clock.h"
#include "net/loop/epoll_loop.h"

namespace bellwire::net {

// Puts the TLS handshakes of a server behind everything else that its loop has to do. A step of one
// is half a millisecond of CPU time, a hundred times what a message costs: those who come back by
// the thousand must not hold up those who are there. One step a turn of the loop, in the order in
// which they were asked for; and while somebody waits for that other work (GiveWay), they take no
// more than a part of its time.
//
// On the loop's thread. The loop must outlive it, and it everything that was made with it.
class HandshakeQueue {
 public:
  // `cpu_time`: of the loop's thread so far, such as ThreadCpuTime.
  HandshakeQueue(EpollLoop* loop, std::function<absl::Duration()> cpu_time);
  // REQUIRES: no Place is left.
  ~HandshakeQueue();
  HandshakeQueue(const HandshakeQueue&) = delete;
  HandshakeQueue& operator=(const HandshakeQueue&) = delete;

  // Who has handshakes to do.
  class Member {
   public:
    virtual ~Member() = default;
    // Its turn: one step. May destroy its Place.
    virtual void OnTurn() = 0;
  };

  // Of one member; destroying it leaves the queue.
  class Place {
   public:
    // Both outlive it.
    Place(HandshakeQueue* queue, Member* member) : queue_(queue), member_(member) {}
    ~Place() { Leave(); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    // Asks for a turn; nothing happens if one is coming already.
    void AskForTurn();

   private:
    friend class HandshakeQueue;
    void Leave();

    HandshakeQueue* const queue_;
    Member* const member_;
    // Of a list that is circular through the queue's head_; null: not in it.
    Place* next_ = nullptr;
    Place* previous_ = nullptr;
  };

  // Members that wait for their turn.
  size_t size() const { return size_; }
  // Somebody waits for other work of this loop, now and for kGiveWayTime.
  void GiveWay() { gives_way_until_ = loop_->clock().Monotonic() + kGiveWayTime; }

  static constexpr absl::Duration kGiveWayTime = absl::Seconds(1);
  // Steps rest for so many times their CPU time while they give way, and not for the time of
  // whoever interrupted them: on a busy machine the crowd would take so much longer that it gives
  // up.
  static constexpr int kRestPerStep = 3;
  // Counts as the step's. A handshake is followed by a login, which other threads and processes of
  // the machine have to do with; that is as much for a resumed one, which costs this loop half of a
  // full one.
  static constexpr absl::Duration kWorkElsewhere = absl::Microseconds(100);
  // A step doesn't take longer; what seems to was taken by the host of a virtual machine.
  static constexpr absl::Duration kLongestStep = absl::Milliseconds(1);
  // Rests are put together until they are this long: a loop counts in milliseconds.
  static constexpr absl::Duration kShortestRest = absl::Milliseconds(2);

 private:
  void RunOne();

  EpollLoop* const loop_;
  const std::function<absl::Duration()> cpu_time_;
  Place head_{nullptr, nullptr};
  size_t size_ = 0;
  MonotonicTime gives_way_until_;
  absl::Duration owed_rest_;
  const std::unique_ptr<Timer> rest_;
  FdWatch turn_;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_TLS_HANDSHAKE_QUEUE_H_
