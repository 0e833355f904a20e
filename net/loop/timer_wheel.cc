#include "net/loop/timer_wheel.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace bellwire::net {

TimerWheel::Entry::~Entry() {
  // A wheel's own list head is empty when it points to itself.
  assert(next_ == nullptr || next_ == this);
}

TimerWheel::TimerWheel(uint64_t now) : now_(now) {
  for (Level& level : levels_) {
    for (Entry& head : level.heads) head.next_ = head.previous_ = &head;
  }
}

TimerWheel::~TimerWheel() { assert(size_ == 0); }

void TimerWheel::Arm(Entry* entry, uint64_t deadline) {
  Cancel(entry);
  entry->deadline_ = std::max(deadline, now_ + 1);
  Insert(entry);
  ++size_;
  if (size_ == 1) {
    next_deadline_ = entry->deadline_;
  } else if (next_deadline_.has_value()) {
    next_deadline_ = std::min(*next_deadline_, entry->deadline_);
  }
}

void TimerWheel::Cancel(Entry* entry) {
  if (!entry->armed()) return;
  Unlink(entry);
  --size_;
  if (next_deadline_ == entry->deadline_) next_deadline_ = std::nullopt;
}

TimerWheel::Entry* TimerWheel::PopDue(uint64_t now) {
  if (now < now_) return nullptr;
  while (const std::optional<Slot> slot = FirstSlot()) {
    if (slot->start > now) break;
    now_ = std::max(now_, slot->start);
    next_deadline_ = std::nullopt;
    Level& level = levels_[slot->level];
    Entry& head = level.heads[slot->index];
    if (slot->level == 0) {
      Entry* const entry = head.next_;
      Unlink(entry);
      --size_;
      return entry;
    }
    // The present has reached this slot: its entries differ from it at lower levels only. Each
    // moves down at least one level, so an entry moves at most kLevels times in its life.
    while (head.next_ != &head) {
      Entry* const entry = head.next_;
      Unlink(entry);
      Insert(entry);
    }
    level.occupied &= ~(uint64_t{1} << slot->index);
  }
  now_ = now;
  return nullptr;
}

std::optional<uint64_t> TimerWheel::NextDeadline() {
  if (size_ == 0) return std::nullopt;
  if (next_deadline_.has_value()) return next_deadline_;
  const std::optional<Slot> slot = FirstSlot();
  if (slot->level == 0) {
    next_deadline_ = slot->start;
    return next_deadline_;
  }
  const Entry& head = levels_[slot->level].heads[slot->index];
  uint64_t earliest = UINT64_MAX;
  int scanned = 0;
  for (const Entry* entry = head.next_; entry != &head; entry = entry->next_) {
    if (++scanned > kMaxExactScan) return slot->start;
    earliest = std::min(earliest, entry->deadline_);
  }
  next_deadline_ = earliest;
  return next_deadline_;
}

void TimerWheel::Insert(Entry* entry) {
  // The highest six bits in which the deadline and the present differ; level 0 if it is due now.
  const uint64_t difference = (entry->deadline_ ^ now_) | 1;
  const int level_number = (std::bit_width(difference) - 1) / kSlotBits;
  const int index = static_cast<int>(entry->deadline_ >> (kSlotBits * level_number)) & (kSlots - 1);
  Level& level = levels_[level_number];
  level.occupied |= uint64_t{1} << index;
  Entry& head = level.heads[index];
  entry->next_ = &head;
  entry->previous_ = head.previous_;
  head.previous_->next_ = entry;
  head.previous_ = entry;
}

void TimerWheel::Unlink(Entry* entry) {
  entry->previous_->next_ = entry->next_;
  entry->next_->previous_ = entry->previous_;
  entry->next_ = entry->previous_ = nullptr;
}

std::optional<TimerWheel::Slot> TimerWheel::FirstSlot() {
  // Everything at a level lies before everything at the next one, and no slot before the present's
  // holds an entry.
  for (int level_number = 0; level_number < kLevels; ++level_number) {
    Level& level = levels_[level_number];
    while (level.occupied != 0) {
      const int index = std::countr_zero(level.occupied);
      const Entry& head = level.heads[index];
      if (head.next_ == &head) {
        level.occupied &= level.occupied - 1;
        continue;
      }
      const int shift = kSlotBits * level_number;
      const uint64_t above =
          shift + kSlotBits < 64 ? now_ >> (shift + kSlotBits) << (shift + kSlotBits) : 0;
      return Slot{level_number, index, above | (static_cast<uint64_t>(index) << shift)};
    }
  }
  return std::nullopt;
}

}  // namespace bellwire::net
