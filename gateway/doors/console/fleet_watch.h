#ifndef BELLWIRE_GATEWAY_DOORS_CONSOLE_FLEET_WATCH_H_
#define BELLWIRE_GATEWAY_DOORS_CONSOLE_FLEET_WATCH_H_

#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "gateway/doors/console/live_metrics.h"
#include "ops/overview/watch.h"

namespace bellwire::gateway {

// From one look at the fleet to the next.
inline constexpr absl::Duration kFleetInterval = absl::Seconds(2);

// What the programs of a fleet say of themselves at their --metrics_listen, and this process of
// itself. All pages share one look every kFleetInterval; while no page asks, nothing is looked at.
//
// Thread-safe. Programs are asked on a thread of its own, which the destructor waits for.
class FleetWatch {
 public:
  struct Options {
    // As Watch: at most metrics::kMaxWatchedPrograms.
    std::vector<std::string> addresses;
    // Of this process. Not owned; outlives the watch. Null: it isn't looked at.
    LiveMetrics* own = nullptr;
    // The machine's; outlives the watch.
    const Clock* clock = nullptr;
    absl::Duration interval = kFleetInterval;
  };
  struct Latest {
    // Of the look. 0: there was none yet.
    uint64_t number = 0;
    // The look, as bellwire top --json answers it.
    std::string json;
  };

  explicit FleetWatch(Options options) : options_(std::move(options)) {}
  ~FleetWatch();
  FleetWatch(const FleetWatch&) = delete;
  FleetWatch& operator=(const FleetWatch&) = delete;

  // The latest look. Whoever wants to see the next ones asks at least once in an interval. Doesn't
  // block.
  Latest Get();

 private:
  void Run();
  metrics::Watch MakeWatch() const;

  const Options options_;
  absl::Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  // Somebody has asked since the last look.
  bool wanted_ ABSL_GUARDED_BY(mu_) = false;
  Latest latest_ ABSL_GUARDED_BY(mu_);
  // Begun with the first Get.
  std::thread thread_ ABSL_GUARDED_BY(mu_);
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_CONSOLE_FLEET_WATCH_H_
