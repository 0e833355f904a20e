#ifndef BELLWIRE_NET_SOCKET_DESCRIPTOR_BUDGET_H_
#define BELLWIRE_NET_SOCKET_DESCRIPTOR_BUDGET_H_

#include <atomic>
#include <cstddef>
#include <utility>

namespace bellwire::net {

// How many descriptors one port of a process may have open. A port that strangers reach must not
// use up what the rest of the process needs: one moment without descriptors breaks listeners and
// files that never get over it. Says so in the log when it is used up, once until an eighth of it
// is free again. Thread-safe.
class DescriptorBudget {
 public:
  explicit DescriptorBudget(size_t capacity) : capacity_(capacity) {}
  DescriptorBudget(const DescriptorBudget&) = delete;
  DescriptorBudget& operator=(const DescriptorBudget&) = delete;

  // What the device port may have of the `limit` of a process (RLIMIT_NOFILE): kDescriptorReserve
  // and a part of it are left to everything else. A quarter if the limit is smaller than that.
  static size_t DeviceShare(size_t limit);

  // One descriptor, until it is destroyed. The budget outlives it.
  class Unit {
   public:
    // None.
    Unit() = default;
    Unit(Unit&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)) {}
    Unit& operator=(Unit&& other) noexcept {
      std::swap(budget_, other.budget_);
      return *this;
    }
    ~Unit() {
      if (budget_ != nullptr) budget_->GiveBack();
    }
    explicit operator bool() const { return budget_ != nullptr; }
    // The budget that it belongs to is used up.
    bool scarce() const { return budget_ != nullptr && budget_->in_use() >= budget_->capacity_; }

   private:
    friend class DescriptorBudget;
    explicit Unit(DescriptorBudget* budget) : budget_(budget) {}
    DescriptorBudget* budget_ = nullptr;
  };

  // An empty unit if all are in use.
  Unit Take();
  size_t capacity() const { return capacity_; }
  size_t in_use() const { return in_use_.load(std::memory_order_relaxed); }

 private:
  void GiveBack();

  const size_t capacity_;
  std::atomic<size_t> in_use_{0};
  std::atomic<bool> told_{false};
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_SOCKET_DESCRIPTOR_BUDGET_H_
