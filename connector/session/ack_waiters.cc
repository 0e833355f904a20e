#include "connector/session/ack_waiters.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>
#include <vector>

namespace bellwire::connector {

AckWaiters::~AckWaiters() {
  Answer(internal::v1::ConnectorResponse::NO_SESSION, [](uint64_t) { return true; });
}

void AckWaiters::Add(uint64_t seq, ConnectorApi::ExchangeDone done) {
  assert(!full());
  waiters_.push_back(Waiter{seq, std::move(done)});
}

void AckWaiters::Answer(Outcome outcome, absl::FunctionRef<bool(uint64_t seq)> which) {
  Waiter* const picked = std::stable_partition(waiters_.begin(), waiters_.end(),
                                               [&which](const Waiter& w) { return !which(w.seq); });
  std::vector<Waiter> answered(std::make_move_iterator(picked),
                               std::make_move_iterator(waiters_.end()));
  waiters_.erase(picked, waiters_.end());
  for (Waiter& waiter : answered) std::move(waiter.done)(outcome);
}

}  // namespace bellwire::connector
