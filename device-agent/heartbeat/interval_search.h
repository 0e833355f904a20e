#ifndef BELLWIRE_DEVICE_AGENT_HEARTBEAT_INTERVAL_SEARCH_H_
#define BELLWIRE_DEVICE_AGENT_HEARTBEAT_INTERVAL_SEARCH_H_

#include <array>

#include "absl/time/time.h"
#include "common/limits.h"

// How the largest safe silence of one network is found; docs/internals/heartbeat.md has the
// reasoning and what it measures. Pure functions over a small record; nothing here knows sockets or
// sessions.
namespace bellwire::agent {

// Intervals tried one after the other on a network that nobody knows. Few and far apart: each one
// that fails is a dead window. Their places make the worst case under two hours (a test tries them
// all). The first lies below the 5 min of the most aggressive mobile carriers, the last below the
// 28 min of the lenient ones: it is as long as we want silence to be, for an hour would save half a
// per cent of a battery a day and find a path that died otherwise only after that hour.
inline constexpr std::array<absl::Duration, 4> kRungs = {absl::Seconds(255), absl::Seconds(780),
                                                         absl::Seconds(1300), absl::Seconds(1665)};
inline constexpr absl::Duration kLongestSilence = kRungs.back();
// Below the shortest time-out that is common (TCP firewalls, 30 to 60 s): where to start from when
// the first rung failed.
inline constexpr absl::Duration kShortestGuess = absl::Seconds(25);
// Between an interval that failed and one that works the search goes up in steps of this at most,
// and ends when what works is within this of what failed.
inline constexpr double kFineStep = 1 / 0.9;
// A settled interval that failed twice is cut to this part, for a NAT whose time-out varies. Twice:
// the second time before so many beats survived it. A single failure is a tunnel more often than a
// NAT, and only makes sure that the interval still works, from the lowest rung up.
inline constexpr double kRetreat = 0.94;
inline constexpr int kDoubtBeats = 50;
// A settled network is probed for a longer time-out after this, doubling up to the maximum while it
// fails: a failure is a dead window.
inline constexpr absl::Duration kProbeWaitMin = absl::Hours(7 * 24);
inline constexpr absl::Duration kProbeWaitMax = absl::Hours(28 * 24);
// So many beats in a row must survive a longer interval before a settled one gives way to it.
inline constexpr int kProbeBeats = 3;

// What one network taught. A value; only IntervalSearch changes it.
struct NetworkRecord {
  enum class Phase {
    // Goes up the rungs.
    kClimbing,
    // In small steps from what works to what failed.
    kRefining,
    // Keeps to `good`.
    kSettled,
    // Settled, and now trying a longer one.
    kProbing,
  };
  Phase phase = Phase::kClimbing;
  // The longest silence that the path survived in this search. Zero: none did yet.
  absl::Duration good;
  // The shortest that it did not. Infinite: none failed.
  absl::Duration bad = absl::InfiniteDuration();
  // kSettled: when to probe (wall time), and how long to wait after the next failure.
  absl::Time next_probe = absl::InfiniteFuture();
  absl::Duration probe_wait = kProbeWaitMin;
  // After a failure of the settled interval: how many beats more it must survive to be trusted
  // again. Not kept on disk.
  int doubt = 0;
  // kProbing: how far up, and how many beats have survived it.
  double stride = kFineStep;
  int probe_beats = 0;

  friend bool operator==(const NetworkRecord&, const NetworkRecord&) = default;
};

// What bounds a search. REQUIRES: 0 < min <= max.
struct SearchBounds {
  // The server's, and ours: kLongestSilence at most.
  absl::Duration min = kMinHeartbeatInterval;
  absl::Duration max = kLongestSilence;
  // What others learned on this network; zero: unknown. It is where a network of which nothing is
  // known yet starts, and goes for a proven one if it survives.
  absl::Duration hint;
};

// One step of the search over `record`. Thread-compatible; keeps nothing but references.
class IntervalSearch {
 public:
  IntervalSearch(NetworkRecord* record, const SearchBounds& bounds)
      : record_(*record), bounds_(bounds) {}

  // The silence to wait for next, within the bounds.
  absl::Duration Target() const;
  // The path survived `silence`. Shorter ones than the target (beats on demand, traffic) prove
  // nothing new. Longer ones count as the target: what a late timer got away with is luck.
  void Survived(absl::Duration silence, absl::Time now);
  // The path was dead after `silence`, in a network that is otherwise alive. One that is much
  // shorter or longer than the target says nothing about the target.
  void Died(absl::Duration silence, absl::Time now);

 private:
  using Phase = NetworkRecord::Phase;

  absl::Duration Climb() const;
  absl::Duration Refine() const;
  void Settle(absl::Duration wait, absl::Time now);
  // Nothing was tried yet.
  bool blank() const {
    return record_.good == absl::ZeroDuration() && record_.bad == absl::InfiniteDuration();
  }
  bool refined() const { return record_.good * kFineStep >= record_.bad; }

  NetworkRecord& record_;
  const SearchBounds bounds_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_HEARTBEAT_INTERVAL_SEARCH_H_
