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

void LearnedHeartbeat::SetBounds(const HeartbeatBounds& bounds) {
  bounds_ = bounds;
  if (asked_.has_value() && *asked_ != id_) bounds_.hint = absl::ZeroDuration();
}

absl::Duration LearnedHeartbeat::Learned(const NetworkRecord* record) {
  const bool settled = record != nullptr && (record->phase == NetworkRecord::Phase::kSettled ||
                                             record->phase == NetworkRecord::Phase::kProbing);
  return settled ? record->good : absl::ZeroDuration();
}

std::optional<NetworkReport> LearnedHeartbeat::OnLogin() {
  asked_.reset();
  if (!options_.share) return std::nullopt;
  const NetworkKey network = options_.network();
  const std::optional<NetworkId> shared = network.SharedId();
  if (!shared.has_value()) return std::nullopt;
  asked_ = network.Id();
  told_ = Learned(options_.known.Find(*asked_));
  return NetworkReport{*shared, told_};
}

std::optional<NetworkReport> LearnedHeartbeat::TakeReport() {
  if (!options_.share || record_ == &none_) return std::nullopt;
  const std::optional<NetworkId> shared = network_.SharedId();
  if (!shared.has_value()) return std::nullopt;
  const absl::Duration learned = Learned(record_);
  const bool known_to_server = asked_ == id_;
  if (known_to_server && (learned == absl::ZeroDuration() || learned == told_)) return std::nullopt;
  asked_ = id_;
  told_ = learned;
  return NetworkReport{*shared, learned};
}

std::optional<NetworkStatus> LearnedHeartbeat::network_status() const {
  if (record_ == &none_) return std::nullopt;
  return NetworkStatus{.kind = std::string(Name(network_.kind)),
                       .interface = network_.interface,
                       .named = !network_.name.empty(),
                       .gateway = network_.gateway,
                       .learned = Learned(record_),
                       .hint = bounds_.hint};
}

void LearnedHeartbeat::EnterNetwork(NetworkKey network, const NetworkId& id) {
  network_ = std::move(network);
  id_ = id;
  record_ = options_.known.Use(id);
  // The other network's: the path died because the phone left it, and its hint means nothing here.
  suspicion_.reset();
  bounds_.hint = absl::ZeroDuration();
  if (options_.share && network_.name.empty() && !network_.SharedId().has_value() &&
      !std::exchange(said_nameless_, true)) {
    LogInfo("network_not_named", {{"interface", network_.interface},
                                  {"consequence", "it is learned without others' hints"},
                                  {"help", "tell its name: bellwire agent network --help"}});
  }
}

void LearnedHeartbeat::OnNetworkNamed() {
  if (record_ == &none_) return;
  NetworkKey network = options_.network();
  const NetworkId id = network.Id();
  if (id != id_) EnterNetwork(std::move(network), id);
}

void LearnedHeartbeat::OnReady() {
  NetworkKey network = options_.network();
  const NetworkId id = network.Id();
  if (id != id_) EnterNetwork(std::move(network), id);
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
