#ifndef BELLWIRE_CONNECTOR_SESSION_ACK_WAITERS_H_
#define BELLWIRE_CONNECTOR_SESSION_ACK_WAITERS_H_

#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "common/limits.h"
#include "connector/session/idle_vector.h"
#include "rpc/connector_api.h"

namespace bellwire::connector {

// Who waits for the device's acknowledgement of which message (Deliver.wait_for_ack). Every waiter
// is answered exactly once, at the latest by the destructor (NO_SESSION).
//
// Thread-compatible. Holds no heap memory while nobody waits.
class AckWaiters {
 public:
  using Outcome = internal::v1::ConnectorResponse::Outcome;

  // A message out of its turn each, and a window's worth in turn.
  static constexpr size_t kMaxWaiters = kMaxNowOrNeverInFlight + kSessionWindowMessages;

  AckWaiters() = default;
  AckWaiters(const AckWaiters&) = delete;
  AckWaiters& operator=(const AckWaiters&) = delete;
  ~AckWaiters();

  bool full() const { return waiters_.size() >= kMaxWaiters; }
  bool empty() const { return waiters_.empty(); }
  // REQUIRES: !full().
  void Add(uint64_t seq, ConnectorApi::ExchangeDone done);
  // Answers those whose seq `which` picks.
  void Answer(Outcome outcome, absl::FunctionRef<bool(uint64_t seq)> which);

 private:
  struct Waiter {
    uint64_t seq;
    ConnectorApi::ExchangeDone done;
  };
  IdleVector<Waiter> waiters_;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SESSION_ACK_WAITERS_H_
