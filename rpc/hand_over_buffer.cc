#include "rpc/hand_over_buffer.h"

#include <algorithm>

namespace bellwire {
namespace {

using internal::v1::ConnectorRequest;

// Of one request without its payload.
constexpr size_t kRequestBytes = 256;

size_t CostOf(const ConnectorRequest& request) {
  return kRequestBytes + request.deliver().message().payload().size();
}

}  // namespace

bool HandOverBuffer::Push(ConnectorRequest request) {
  const Session session(request.route().connector_incarnation(), request.route().session_id());
  const auto mark = marks_.find(session);
  const bool fits = bytes_ + CostOf(request) <= max_bytes_;
  if (fits && (mark == marks_.end() || !request.has_deliver())) {
    bytes_ += CostOf(request);
    queue_.push_back(std::move(request));
    return true;
  }
  if (!request.has_deliver()) return false;
  const uint64_t seq = request.deliver().message().seq();
  if (mark != marks_.end()) {
    internal::v1::Missed* missed = mark->second.mutable_missed();
    missed->set_seq(std::max(missed->seq(), seq));
    return false;
  }
  request.mutable_missed()->set_seq(seq);
  marks_.emplace(session, std::move(request));
  return false;
}

ConnectorRequest HandOverBuffer::Pop() {
  ConnectorRequest next = std::move(queue_.front());
  queue_.pop_front();
  bytes_ -= CostOf(next);
  if (bytes_ > max_bytes_ / 2) return next;
  // Behind all that came before: what is dropped now was the session's latest.
  while (!marks_.empty() && bytes_ + kRequestBytes <= max_bytes_) {
    bytes_ += kRequestBytes;
    queue_.push_back(std::move(marks_.begin()->second));
    marks_.erase(marks_.begin());
  }
  return next;
}

}  // namespace bellwire
