#include "rpc/hand_over_buffer.h"

#include <algorithm>

namespace bellwire {
namespace {

using internal::v1::ConnectorRequest;
using internal::v1::Page;
using internal::v1::SessionEvent;

// Of one event without its payloads.
constexpr size_t kEventBytes = 256;

size_t CostOf(const Page& page) {
  size_t bytes = 0;
  for (const auto& message : page.messages()) bytes += kEventBytes + message.payload().size();
  return bytes;
}

size_t CostOf(const SessionEvent& event) {
  return kEventBytes + event.hand_over().deliver().message().payload().size() +
         CostOf(event.bind().page()) + CostOf(event.pull().page());
}

}  // namespace

bool HandOverBuffer::Push(SessionEvent event) {
  const ConnectorRequest& request = event.hand_over();
  const Session session(request.route().connector_incarnation(), request.route().session_id());
  const auto mark = event.has_hand_over() ? marks_.find(session) : marks_.end();
  const bool fits = !event.has_hand_over() || bytes_ + CostOf(event) <= max_bytes_;
  if (fits && (mark == marks_.end() || !request.has_deliver())) {
    bytes_ += CostOf(event);
    queue_.push_back(std::move(event));
    return true;
  }
  if (request.evict().revoked()) {
    // Nothing else would tell an idle session. What its device was to hear is of no use any more.
    marks_.insert_or_assign(session, std::move(*event.mutable_hand_over()));
    return false;
  }
  if (!request.has_deliver() || (mark != marks_.end() && mark->second.has_evict())) return false;
  const uint64_t seq = request.deliver().message().seq();
  if (mark != marks_.end()) {
    internal::v1::Missed* missed = mark->second.mutable_missed();
    missed->set_seq(std::max(missed->seq(), seq));
    return false;
  }
  event.mutable_hand_over()->mutable_missed()->set_seq(seq);
  marks_.emplace(session, std::move(*event.mutable_hand_over()));
  return false;
}

SessionEvent HandOverBuffer::Pop() {
  SessionEvent next = std::move(queue_.front());
  queue_.pop_front();
  bytes_ -= CostOf(next);
  if (bytes_ > max_bytes_ / 2) return next;
  // Behind all that came before: what is dropped now was the session's latest.
  while (!marks_.empty() && bytes_ + kEventBytes <= max_bytes_) {
    bytes_ += kEventBytes;
    *queue_.emplace_back().mutable_hand_over() = std::move(marks_.begin()->second);
    marks_.erase(marks_.begin());
  }
  return next;
}

}  // namespace bellwire
