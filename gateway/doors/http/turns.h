#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_TURNS_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_TURNS_H_

#include <cstdint>
#include <map>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"

namespace bellwire::http {

// Shares the time of one thread among connections that bring more than it can serve: a line, and a
// quantum of CPU time for each connection in a round. A round is over when everybody who stood in
// line at its beginning has had a turn. A connection that uses less than its quantum in a round
// never stands in line, so its requests wait for one turn of somebody else, however many others
// there are.
//
// What one call does for long, such as a batch, stands in the same line piece by piece.
//
// Pure: the caller measures CPU time, and calls RunNext. Not thread-safe.
class Turns {
 public:
  // Runs one after another, so it may be short: a batch of 50 messages takes about twice as long.
  static constexpr absl::Duration kQuantum = absl::Microseconds(250);

  using Task = absl::AnyInvocable<void() &&>;
  // Names a place in line; 0 names none.
  using Place = uint64_t;

  // What one connection has used in its round.
  class Account {
   private:
    friend class Turns;
    // Those in line before this place were there when the round began.
    Place round_ends_ = 0;
    absl::Duration used_;
  };

  // `cpu_time` was used for the connection. False: its quantum is used up, and it has to stand in
  // line before it goes on.
  bool Charge(Account* account, absl::Duration cpu_time);

  // `task` runs when everybody before it has had a turn.
  Place Stand(Task task);
  // Drops the task, unless it has run.
  void Leave(Place place) { line_.erase(place); }

  // The first in line has its turn. REQUIRES: !empty().
  void RunNext();
  bool empty() const { return line_.empty(); }

 private:
  std::map<Place, Task> line_;
  Place next_place_ = 1;
};

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_TURNS_H_
