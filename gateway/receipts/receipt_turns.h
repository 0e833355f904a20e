#ifndef BELLWIRE_GATEWAY_RECEIPTS_RECEIPT_TURNS_H_
#define BELLWIRE_GATEWAY_RECEIPTS_RECEIPT_TURNS_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"

namespace bellwire::gateway {

// When each stream of receipts may write its next one. Of all streams of a gateway so many may in each
// millisecond, teams in fair turns; that is more than a registry makes.
//
// gRPC's threads look for new calls only when no call has anything to do. A stream that reads its feed
// back has something to do after each write, and a few of them would keep every other call waiting
// until their sockets are full.
//
// Thread-safe. Streams that wait when it is destroyed never write.
class ReceiptTurns {
 public:
  // Called exactly once, on any thread, possibly before Wait returns.
  using Go = absl::AnyInvocable<void() &&>;

  ReceiptTurns();
  ~ReceiptTurns();
  ReceiptTurns(const ReceiptTurns&) = delete;
  ReceiptTurns& operator=(const ReceiptTurns&) = delete;

  void Wait(absl::string_view team_id, Go go);

 private:
  class State;
  const std::shared_ptr<State> state_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_RECEIPTS_RECEIPT_TURNS_H_
