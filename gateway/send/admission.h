#ifndef BELLWIRE_GATEWAY_SEND_ADMISSION_H_
#define BELLWIRE_GATEWAY_SEND_ADMISSION_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <optional>
#include <utility>

namespace bellwire::gateway {

// Admits at most `limit` things at a time. Whoever is admitted holds a Ticket; destroying it makes
// room again, on whatever path. Thread-safe; outlives its tickets.
class Admission {
 public:
  class Ticket {
   public:
    Ticket(Ticket&& other) noexcept : admission_(std::exchange(other.admission_, nullptr)) {}
    Ticket& operator=(Ticket&& other) noexcept {
      std::swap(admission_, other.admission_);
      return *this;
    }
    ~Ticket() {
      if (admission_ != nullptr) admission_->admitted_.fetch_sub(1, std::memory_order_relaxed);
    }

   private:
    friend class Admission;
    explicit Ticket(Admission* admission) : admission_(admission) {}
    Admission* admission_;
  };

  explicit Admission(size_t limit) : limit_(limit) {}
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // nullopt: full.
  std::optional<Ticket> TryAdmit() { return TryAdmit(limit_); }
  // Full is already what `limit` says, if that is less. Relaxed order is enough: the count guards no
  // other memory.
  std::optional<Ticket> TryAdmit(size_t limit) {
    limit = std::min(limit, limit_);
    size_t admitted = admitted_.load(std::memory_order_relaxed);
    do {
      if (admitted >= limit) return std::nullopt;
    } while (!admitted_.compare_exchange_weak(admitted, admitted + 1, std::memory_order_relaxed));
    return Ticket(this);
  }

  size_t admitted() const { return admitted_.load(std::memory_order_relaxed); }

 private:
  const size_t limit_;
  std::atomic<size_t> admitted_{0};
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_SEND_ADMISSION_H_
