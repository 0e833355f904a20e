#include "net/tls/handshake_queue.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace bellwire::net {

HandshakeQueue::HandshakeQueue(EpollLoop* loop, std::function<absl::Duration()> cpu_time)
    : loop_(loop),
      cpu_time_(std::move(cpu_time)),
      rest_(loop->NewTimer([this] { RunOne(); })),
      turn_(loop, [this](uint32_t) { RunOne(); }) {
  head_.next_ = head_.previous_ = &head_;
}

HandshakeQueue::~HandshakeQueue() {
  assert(size_ == 0);
  head_.next_ = nullptr;
}

void HandshakeQueue::Place::AskForTurn() {
  if (next_ != nullptr) return;
  Place* const head = &queue_->head_;
  next_ = head;
  previous_ = head->previous_;
  head->previous_->next_ = this;
  head->previous_ = this;
  if (queue_->size_++ == 0 && !queue_->rest_->armed()) queue_->turn_.Wake();
}

void HandshakeQueue::Place::Leave() {
  if (next_ == nullptr) return;
  previous_->next_ = next_;
  next_->previous_ = previous_;
  next_ = previous_ = nullptr;
  --queue_->size_;
}

void HandshakeQueue::RunOne() {
  if (size_ == 0) return;
  Place* const first = head_.next_;
  Member* const member = first->member_;
  first->Leave();
  if (loop_->clock().Monotonic() < gives_way_until_) {
    const absl::Duration begun = cpu_time_();
    member->OnTurn();
    const absl::Duration took = std::min(cpu_time_() - begun, kLongestStep);
    owed_rest_ += kRestPerStep * (took + kWorkElsewhere);
  } else {
    member->OnTurn();  // Without asking for the time, which is a system call.
    owed_rest_ = absl::ZeroDuration();
  }
  if (owed_rest_ >= kShortestRest) {
    // Whether or not somebody waits: the next one may ask at once.
    rest_->Arm(owed_rest_);
    owed_rest_ = absl::ZeroDuration();
  } else if (size_ > 0) {
    turn_.Wake();
  }
}

}  // namespace bellwire::net
