#ifndef BELLWIRE_REGISTRY_DEVICES_NEW_DEVICES_H_
#define BELLWIRE_REGISTRY_DEVICES_NEW_DEVICES_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace bellwire::registry {

// How many devices that nobody has seen before may come in, and from where. Counts fade: what came
// in counts by half after 42 minutes (a time constant of one hour), so that over time no more than
// the bound come in an hour, and no more than it at once.
//
// While less than half of the bound has come anybody may bring in as many as they like: one address
// may be a carrier's NAT with a whole town behind it. Beyond it an address gets its share only: the
// bound divided by the addresses that brought devices lately, and at least one. So an address that
// took much waits, and others come in.
//
// An address is an IPv4 address or a /48 of IPv6, which is what one customer may have. Pure. Not
// thread-safe.
class NewDevices {
 public:
  // Addresses that are told apart; the rest of them share one place. 100 bytes each.
  static constexpr size_t kMaxAddresses = 16 * 1024;
  // When an address is forgotten: what it brought in has faded to less than this.
  static constexpr double kForgetBelow = 0.25;

  // `per_hour` 0: no bound.
  explicit NewDevices(uint64_t per_hour) : per_hour_(static_cast<double>(per_hour)) {}

  // Counts one more device. `peer`: BindRequest.peer; empty: nobody knows, and those share a place.
  //   RESOURCE_EXHAUSTED TOO_MANY_NEW_DEVICES with RetryInfo: it may not come in now, and did not
  //   count
  absl::Status Admit(absl::string_view peer, MonotonicTime now);

  // The bound is this part of it from now on, in [0, 1]: the rest comes to other registries. One
  // device may always come.
  void SetShare(double share) { share_ = share; }

  // What counted at the latest call. Thread-safe.
  uint64_t counted() const { return latest_.load(); }
  // For tests.
  size_t addresses() const { return by_address_.size(); }

 private:
  void Fade(MonotonicTime now);
  absl::Status Refuse(double over, double bound, absl::string_view why) const;

  double bound() const { return per_hour_ == 0 ? 0 : std::max(1.0, per_hour_ * share_); }

  const double per_hour_;
  double share_ = 1;
  MonotonicTime faded_at_;
  double counted_ = 0;
  std::atomic<uint64_t> latest_{0};
  absl::flat_hash_map<std::string, double> by_address_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_DEVICES_NEW_DEVICES_H_
