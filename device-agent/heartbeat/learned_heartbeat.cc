#include "device-agent/heartbeat/learned_heartbeat.h"

#include <algorithm>
#include <utility>

#include "common/log.h"

namespace bellwire::agent {

LearnedHeartbeat::LearnedHeartbeat(Options options)
    : options_(std::move(options)), saved_(options_.known.Serialize()) {}

SearchBounds LearnedHeartbeat::search_bounds() const {
  const absl::Duration max = std::max(bounds_.min, std::min(bounds_.max, kLongestSilence));
  return {.min = bounds_.min, .max = max, .hint = std::min(bounds_.hint, max)};
}

absl::Duration LearnedHeartbeat::interval() const {
  return IntervalSearch(record_, search_bounds()).Target();
}

absl::Duration LearnedHeartbeat::promise() const { return search_bounds().max; }

absl::Duration LearnedHeartbeat::earliest() const {
  const absl::Duration full = interval();
  return phase() == NetworkRecord::Phase::kSettled ? full * kAlignmentWindow : full;
}

void LearnedHeartbeat::SetBounds(const HeartbeatBounds& bounds) { bounds_ = bounds; }

void LearnedHeartbeat::EnterNetwork(const NetworkId& id) {
  network_ = id;
  record_ = options_.known.Use(id);
  // The other network's: the path died because the phone left it, and its hint means nothing here.
  suspicion_.reset();
  bounds_.hint = absl::ZeroDuration();
}

void LearnedHeartbeat::OnReady() {
  const NetworkId id = options_.network().Id();
  if (id != network_) EnterNetwork(id);
  if (!suspicion_.has_value()) return;
  const Suspicion suspicion = *std::exchange(suspicion_, std::nullopt);
  // Boottime: a phone that slept in between knows nothing about the time in between.
  if (options_.clock->Boottime() - suspicion.since > kAliveWithin) return;
  IntervalSearch(record_, search_bounds()).Died(suspicion.silence, options_.clock->WallNow());
  SaveIfChanged();
}

void LearnedHeartbeat::OnAlive(absl::Duration silence) {
  suspicion_.reset();
  IntervalSearch(record_, search_bounds()).Survived(silence, options_.clock->WallNow());
  SaveIfChanged();
}

void LearnedHeartbeat::OnDead(absl::Duration silence) {
  suspicion_ = Suspicion{silence, options_.clock->Boottime()};
}

void LearnedHeartbeat::SaveIfChanged() {
  std::string state = options_.known.Serialize();
  if (state == saved_) return;
  saved_ = std::move(state);
  LogInfo("heartbeat_learned", {{"interval_ms", absl::ToInt64Milliseconds(interval())},
                                {"settled", phase() == NetworkRecord::Phase::kSettled}});
  if (options_.save) options_.save(saved_);
}

}  // namespace bellwire::agent
