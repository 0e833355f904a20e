#ifndef BELLWIRE_NET_LOOP_TIMER_WHEEL_H_
#define BELLWIRE_NET_LOOP_TIMER_WHEEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace bellwire::net {

// The deadlines of one loop: a hierarchical timer wheel (Varghese and Lauck, "Hashed and
// Hierarchical Timing Wheels", 1987) with 64 slots a level. A slot of level 0 is one tick, one of
// each further level as long as the whole level below it; an entry sits at the highest level at
// which its deadline and the present differ, and moves down as its time comes near. The levels
// cover all 64 bits. What a tick is, the caller decides.
//
// Arm and Cancel are O(1) and nothing here allocates: entries belong to their owners.
// Single-threaded.
class TimerWheel {
 public:
  // One deadline. Part of whatever waits for it.
  class Entry {
   public:
    Entry() = default;
    // REQUIRES: not armed.
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    bool armed() const { return next_ != nullptr; }
    // REQUIRES: armed().
    uint64_t deadline() const { return deadline_; }

   private:
    friend class TimerWheel;
    Entry* next_ = nullptr;
    Entry* previous_ = nullptr;
    uint64_t deadline_ = 0;
  };

  // `now` is the present tick.
  explicit TimerWheel(uint64_t now);
  // REQUIRES: no entry is armed.
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Makes `entry` due at tick `deadline`, instead of when it was armed for before. A deadline that
  // is not in the future counts as the next tick.
  void Arm(Entry* entry, uint64_t deadline);
  // Harmless if it isn't armed.
  void Cancel(Entry* entry);

  // Moves the present towards `now`. Returns an entry that is due, disarmed, or null once there is
  // none left and the present is `now`: call it until then. In between, anything may be armed and
  // cancelled. Entries come in the order of their deadlines; those of one tick in any order. A
  // `now` that lies in the past changes nothing.
  Entry* PopDue(uint64_t now);

  // No entry is due before this tick; nullopt: no entry is armed. It is the tick of the earliest
  // entry exactly, unless more than kMaxExactScan entries share its slot on a higher level: then it
  // is the time of that slot, and whoever waited calls PopDue in vain once. So an idle loop with
  // few timers never wakes for nothing, and a crowded one pays O(1).
  std::optional<uint64_t> NextDeadline();
  static constexpr int kMaxExactScan = 64;

  size_t size() const { return size_; }
  uint64_t now() const { return now_; }

 private:
  static constexpr int kSlotBits = 6;
  static constexpr int kSlots = 1 << kSlotBits;
  static constexpr int kLevels = (64 + kSlotBits - 1) / kSlotBits;

  // The lists are circular through a slot's own `head`, so that unlinking needs no wheel.
  struct Level {
    // Bit i is set if slot i may hold entries; cleared when it is seen empty.
    uint64_t occupied = 0;
    std::array<Entry, kSlots> heads;
  };
  struct Slot {
    int level;
    int index;
    // The first tick of the slot.
    uint64_t start;
  };

  void Insert(Entry* entry);
  static void Unlink(Entry* entry);
  // The slot that holds the earliest entry.
  std::optional<Slot> FirstSlot();

  uint64_t now_;
  size_t size_ = 0;
  // NextDeadline()'s last answer, while it holds.
  std::optional<uint64_t> next_deadline_;
  std::array<Level, kLevels> levels_;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_LOOP_TIMER_WHEEL_H_
