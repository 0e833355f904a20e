#ifndef BELLWIRE_GATEWAY_DOORS_CONSOLE_LIVE_SOURCES_H_
#define BELLWIRE_GATEWAY_DOORS_CONSOLE_LIVE_SOURCES_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bellwire/admin/v1/support.pb.h"
#include "common/clock.h"
#include "gateway/call/method_table.h"
#include "gateway/doors/console/fleet_watch.h"
#include "gateway/doors/console/live_metrics.h"
#include "gateway/doors/console/live_streams.h"
#include "gateway/doors/http/call_thread.h"
#include "ops/overview/overview.h"

// What the live streams of the console show.
namespace bellwire::gateway {

// Each look costs a scrape of the process.
inline constexpr absl::Duration kOverviewInterval = absl::Seconds(2);
// After the first look, so that there are rates soon.
inline constexpr absl::Duration kFirstOverviewInterval = absl::Milliseconds(500);
// How often a page asks for the latest look at the fleet, which costs no look: kFleetInterval does.
inline constexpr absl::Duration kFleetPageInterval = absl::Milliseconds(500);
// A step shows within twice this. Each look is one look-up of a message, however much its team
// sends.
inline constexpr absl::Duration kMessageInterval = absl::Milliseconds(80);
// The words of a story hold durations, which grow: they are told again so often.
inline constexpr absl::Duration kStoryGetsOld = absl::Seconds(5);

// Whether the stream's administrator is still logged in, and the token to call with.
//   UNAUTHENTICATED NO_SESSION
using StillLoggedIn = std::function<absl::StatusOr<std::string>()>;

// The overview of this process (ops/overview).
class OverviewSource final : public LiveSource {
 public:
  OverviewSource(LiveMetrics* metrics, const Clock* clock, StillLoggedIn still_logged_in)
      : metrics_(metrics), clock_(clock), still_logged_in_(std::move(still_logged_in)) {}

  void Ask(Then then) override;
  absl::Duration interval() const override {
    return looks_ <= 1 ? kFirstOverviewInterval : kOverviewInterval;
  }

 private:
  LiveMetrics* const metrics_;
  const Clock* const clock_;
  const StillLoggedIn still_logged_in_;
  int looks_ = 0;
  std::optional<metrics::Snapshot> before_;
};

// Every program of the fleet: {"time","programs","all"} of each look.
class FleetSource final : public LiveSource {
 public:
  // `fleet` outlives the source.
  FleetSource(FleetWatch* fleet, StillLoggedIn still_logged_in)
      : fleet_(fleet), still_logged_in_(std::move(still_logged_in)) {}

  void Ask(Then then) override;
  absl::Duration interval() const override { return kFleetPageInterval; }

 private:
  FleetWatch* const fleet_;
  const StillLoggedIn still_logged_in_;
  // Of the look that was shown last.
  uint64_t shown_ = 0;
};

// What becomes of one message. Ends with it.
class MessageSource final : public LiveSource {
 public:
  struct Options {
    admin::v1::GetTeamMessageRequest request;
    // For the times in the story's words.
    absl::TimeZone zone;
    // Of the client, for logs.
    std::string peer;
    std::shared_ptr<http::CallThread> thread;
    // Not owned; they outlive the source.
    const MethodTable* methods = nullptr;
    const Clock* clock = nullptr;
    StillLoggedIn still_logged_in;
  };

  explicit MessageSource(Options options)
      : options_(std::make_shared<const Options>(std::move(options))) {}

  void Ask(Then then) override;
  absl::Duration interval() const override { return kMessageInterval; }

 private:
  // What was told last. Answers come on other threads, one at a time.
  struct Told {
    std::string message;
    MonotonicTime at;
  };

  const std::shared_ptr<const Options> options_;
  const std::shared_ptr<Told> told_ = std::make_shared<Told>();
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_CONSOLE_LIVE_SOURCES_H_
