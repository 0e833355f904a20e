#include "net/socket/descriptor_budget.h"

#include <algorithm>

#include "common/limits.h"
#include "common/log.h"

namespace bellwire::net {

size_t DescriptorBudget::DeviceShare(size_t limit) {
  const size_t reserve = kDescriptorReserve + limit / kDescriptorReservePart;
  return std::max(limit > reserve ? limit - reserve : 0, limit / 4);
}

DescriptorBudget::Unit DescriptorBudget::Take() {
  size_t in_use = in_use_.load(std::memory_order_relaxed);
  while (in_use < capacity_) {
    if (in_use_.compare_exchange_weak(in_use, in_use + 1, std::memory_order_relaxed)) {
      return Unit(this);
    }
  }
  if (!told_.exchange(true, std::memory_order_relaxed)) {
    LogWarning(
        "device_descriptors_used_up",
        {{"in_use", in_use}, {"hint", "raise the limit of open files (ulimit -n, LimitNOFILE)"}});
  }
  return Unit();
}

void DescriptorBudget::GiveBack() {
  const size_t left = in_use_.fetch_sub(1, std::memory_order_relaxed) - 1;
  if (left < capacity_ - capacity_ / 8 && told_.load(std::memory_order_relaxed)) {
    told_.store(false, std::memory_order_relaxed);
  }
}

}  // namespace bellwire::net
