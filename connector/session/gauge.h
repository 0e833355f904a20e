#ifndef BELLWIRE_CONNECTOR_SESSION_GAUGE_H_
#define BELLWIRE_CONNECTOR_SESSION_GAUGE_H_

#include <atomic>
#include <cstdint>

namespace bellwire::connector {

// How much of something there is now: connections, handshakes, bytes in flight. Changed only
// through GaugeShare and GaugeUnit, so that no path can forget to give back. Thread-safe.
class Gauge {
 public:
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  friend class GaugeShare;
  friend class GaugeUnit;
  std::atomic<int64_t> value_{0};
};

// One of what a gauge counts, from construction to destruction. The gauge must outlive it.
class GaugeUnit {
 public:
  explicit GaugeUnit(Gauge* gauge) : gauge_(gauge) {
    gauge_->value_.fetch_add(1, std::memory_order_relaxed);
  }
  ~GaugeUnit() { gauge_->value_.fetch_sub(1, std::memory_order_relaxed); }
  GaugeUnit(const GaugeUnit&) = delete;
  GaugeUnit& operator=(const GaugeUnit&) = delete;

 private:
  Gauge* const gauge_;
};

// What one owner contributes to a gauge; destroying it takes the contribution away. The gauge must
// outlive it. Thread-compatible.
class GaugeShare {
 public:
  explicit GaugeShare(Gauge* gauge, int64_t amount = 0) : gauge_(gauge) { Set(amount); }
  ~GaugeShare() { Set(0); }
  GaugeShare(const GaugeShare&) = delete;
  GaugeShare& operator=(const GaugeShare&) = delete;

  int64_t amount() const { return amount_; }
  // Of all owners.
  int64_t total() const { return gauge_->value(); }
  void Set(int64_t amount) {
    gauge_->value_.fetch_add(amount - amount_, std::memory_order_relaxed);
    amount_ = amount;
  }

 private:
  Gauge* const gauge_;
  int64_t amount_ = 0;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SESSION_GAUGE_H_
