#ifndef BELLWIRE_TESTS_SIMULATION_TRACE_H_
#define BELLWIRE_TESTS_SIMULATION_TRACE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <ostream>

#include "common/clock.h"

namespace bellwire::simulation {

// What happened in a run, in order: the last of it to print, and a hash over all of it.
// Thread-compatible.
class Trace {
 public:
  // An event of the whole system rather than of one device.
  static constexpr int kEverybody = -1;

  // `clock` gives the times and must outlive the trace.
  explicit Trace(const Clock* clock) : clock_(clock), start_(clock->Monotonic()) {}

  // `what` is a literal. What `a` and `b` mean depends on it.
  void Add(int device, const char* what, uint64_t a = 0, uint64_t b = 0) {
    Note(device, what, a, b, false);
  }
  // The same of a message.
  void AddOf(int device, const char* what, uint64_t message, uint64_t b = 0) {
    Note(device, what, message, b, true);
  }

  // The same for the same events at the same times in the same order.
  uint64_t hash() const { return hash_; }
  uint64_t events() const { return events_; }

  // All that there is of `message`, if it isn't 0, and the last `lines` events that concern
  // `device`, or everybody.
  void Print(int device, uint64_t message, size_t lines, std::ostream& out) const;

 private:
  static constexpr size_t kKept = 200'000;
  struct Event {
    int64_t at_ms;
    int device;
    const char* what;
    uint64_t a;
    uint64_t b;
    // `a` is a message.
    bool of_message;
  };
  void Note(int device, const char* what, uint64_t a, uint64_t b, bool of_message);
  static void PrintEvent(const Event& event, std::ostream& out);

  void Mix(uint64_t value) { hash_ = (hash_ ^ value) * 0x100000001b3; }

  const Clock* const clock_;
  const MonotonicTime start_;
  std::deque<Event> last_;
  uint64_t hash_ = 0xcbf29ce484222325;
  uint64_t events_ = 0;
};

}  // namespace bellwire::simulation

#endif  // BELLWIRE_TESTS_SIMULATION_TRACE_H_
