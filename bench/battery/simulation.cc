#include "bench/battery/simulation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <utility>

#include "absl/random/random.h"
#include "common/limits.h"
#include "common/simulated_clock.h"
#include "device-agent/heartbeat/learned_heartbeat.h"

namespace bellwire::bench {
namespace {

constexpr absl::Duration kDay = absl::Hours(24);
constexpr absl::Duration kWeek = absl::Hours(7 * 24);
// From a dead path or a change of network to the next session, if the network is there.
constexpr absl::Duration kReconnect = absl::Seconds(1);

struct Span {
  absl::Duration begin;
  absl::Duration end;
};

std::vector<absl::Duration> PoissonTimes(double per_day, absl::Duration end,
                                         std::mt19937_64* random) {
  std::vector<absl::Duration> times;
  if (per_day <= 0) return times;
  absl::Duration t;
  while ((t += kDay * absl::Exponential<double>(*random, per_day)) < end) times.push_back(t);
  return times;
}

// One phone, one policy. Time is the time since the start.
class Phone {
 public:
  Phone(const Scenario& scenario, const Contender& contender, int days, uint64_t seed)
      : scenario_(scenario), end_(days * kDay), random_(seed) {
    messages_ = PoissonTimes(scenario.messages_per_day, end_, &random_);
    for (const absl::Duration begin : PoissonTimes(scenario.outages_per_day, end_, &random_)) {
      outages_.push_back({begin, begin + absl::Minutes(absl::Uniform(random_, 1.0, 10.0))});
    }
    outcome_.simulated = end_;
    outcome_.dead_windows_by_week.resize((days + 6) / 7);
    segment_end_ = scenario_.segments[0].length;
    policy_ = contender.make([this] { return network().key; }, &clock_);
  }

  Outcome Run() {
    StartSession();
    NoteInterval();
    while (true) {
      const absl::Duration beat = last_exchange_ + policy_->interval();
      const absl::Duration message =
          next_message_ < messages_.size() ? messages_[next_message_] : absl::InfiniteDuration();
      const absl::Duration change =
          scenario_.segments.size() > 1 ? segment_end_ : absl::InfiniteDuration();
      const absl::Duration next = std::max(now_, std::min({beat, message, change}));
      if (next >= end_) break;
      AdvanceTo(next);
      if (next >= change) {
        ChangeNetwork();
      } else if (next >= message) {
        TakeMessage();
      } else {
        Beat();
      }
      NoteInterval();
    }
    return std::move(outcome_);
  }

 private:
  const Network& network() const { return scenario_.segments[segment_].network; }
  absl::Duration mapping_dies() const { return last_exchange_ + nat_timeout_; }

  void AdvanceTo(absl::Duration t) {
    clock_.Advance(t - now_);
    now_ = t;
  }

  void Exchange() {
    last_exchange_ = now_;
    nat_timeout_ = network().nat_timeout + network().jitter * absl::Uniform(random_, -1.0, 1.0);
  }

  // Of the outage that is now; nullptr: none is.
  const Span* Outage() const {
    for (const Span& span : outages_) {
      if (span.begin <= now_ && now_ < span.end) return &span;
    }
    return nullptr;
  }

  void Beat() {
    ++outcome_.beats;
    if (now_ >= kDay) ++outcome_.beats_later;
    const absl::Duration silence = now_ - last_exchange_;
    const Span* outage = Outage();
    // TCP repeats what got lost, until the agent gives up.
    if (outage != nullptr && outage->end < std::min(mapping_dies(), now_ + kHeartbeatAckTimeout)) {
      AdvanceTo(outage->end);
      outage = nullptr;
    }
    if (now_ < mapping_dies() && outage == nullptr) {
      Exchange();
      policy_->OnAlive(silence);
      return;
    }
    AdvanceTo(now_ + kHeartbeatAckTimeout);
    policy_->OnDead(silence);
    Reconnect();
  }

  // Tries until the network is there, backing off as the agent does (without jitter).
  void Reconnect() {
    absl::Duration wait = kReconnect;
    AdvanceTo(now_ + wait);
    while (Outage() != nullptr) {
      ++outcome_.connects;
      wait = std::min(wait * 2, kReconnectMax);
      AdvanceTo(now_ + wait);
    }
    StartSession();
  }

  void StartSession() {
    if (now_ >= mapping_dies()) {
      outcome_.deaf += now_ - mapping_dies();
      const size_t week = static_cast<size_t>(absl::FDivDuration(mapping_dies(), kWeek));
      if (week < outcome_.dead_windows_by_week.size()) ++outcome_.dead_windows_by_week[week];
    }
    ++outcome_.connects;
    Exchange();
    policy_->OnReady();
    policy_->SetBounds({kMinHeartbeatInterval, kMaxHeartbeatInterval, network().hint});
    Deliver();
  }

  void TakeMessage() {
    waiting_.push_back(now_);
    ++next_message_;
    if (const Span* outage = Outage(); outage != nullptr) {
      // The server repeats it until it arrives, if the connection lives so long.
      if (outage->end >= mapping_dies() || outage->end >= last_exchange_ + policy_->interval())
        return;
      AdvanceTo(outage->end);
    }
    if (now_ >= mapping_dies()) return;
    Exchange();
    Deliver();
  }

  void Deliver() {
    // Those that came during an AdvanceTo are older than now, too.
    while (next_message_ < messages_.size() && messages_[next_message_] <= now_) {
      waiting_.push_back(messages_[next_message_++]);
    }
    for (const absl::Duration accepted : waiting_) outcome_.delays.push_back(now_ - accepted);
    waiting_.clear();
  }

  void ChangeNetwork() {
    segment_ = (segment_ + 1) % scenario_.segments.size();
    segment_end_ += scenario_.segments[segment_].length;
    Reconnect();
  }

  void NoteInterval() {
    if (scenario_.segments.size() > 1 || outcome_.reached_90_after.has_value()) return;
    const absl::Duration interval = policy_->interval();
    const absl::Duration usable = std::min(network().nat_timeout, agent::kLongestSilence);
    if (interval < 0.9 * usable - absl::Seconds(1) || interval >= network().nat_timeout) {
      in_band_since_.reset();
    } else if (!in_band_since_.has_value()) {
      in_band_since_ = now_;
    } else if (now_ - *in_band_since_ >= kDay) {
      outcome_.reached_90_after = in_band_since_;
    }
  }

  const Scenario& scenario_;
  const absl::Duration end_;
  std::mt19937_64 random_;
  SimulatedClock clock_;
  std::vector<absl::Duration> messages_;
  std::vector<Span> outages_;
  std::unique_ptr<agent::HeartbeatPolicy> policy_;
  Outcome outcome_;

  absl::Duration now_;
  absl::Duration last_exchange_;
  absl::Duration nat_timeout_ = absl::InfiniteDuration();
  size_t segment_ = 0;
  absl::Duration segment_end_;
  size_t next_message_ = 0;
  // Accepted and not with the phone.
  std::vector<absl::Duration> waiting_;
  std::optional<absl::Duration> in_band_since_;
};

Contender Fixed(std::string name, absl::Duration interval) {
  return {std::move(name), [interval](NetworkSource, const Clock*) {
            return std::make_unique<agent::FixedHeartbeat>(interval);
          }};
}

}  // namespace

std::vector<Contender> AllContenders() {
  return {
      {"bellwire",
       [](NetworkSource network, const Clock* clock) {
         return std::make_unique<agent::LearnedHeartbeat>(
             agent::LearnedHeartbeat::Options{.clock = clock, .network = std::move(network)});
       }},
      {"mars",
       [](NetworkSource network, const Clock* clock) {
         return std::make_unique<Mars>(std::move(network), clock);
       }},
      {"microG", [](NetworkSource, const Clock*) { return std::make_unique<MicroG>(); }},
      {"GCM 28/15 min",
       [](NetworkSource network, const Clock*) {
         return std::make_unique<FixedByKind>(std::move(network), absl::Minutes(28),
                                              absl::Minutes(15));
       }},
      Fixed("autopush 300 s", absl::Seconds(300)),
      Fixed("ntfy 45 s", absl::Seconds(45)),
  };
}

int Outcome::dead_windows() const {
  return std::accumulate(dead_windows_by_week.begin(), dead_windows_by_week.end(), 0);
}

int Outcome::dead_windows_later_week() const {
  if (dead_windows_by_week.size() < 2) return 0;
  return *std::max_element(dead_windows_by_week.begin() + 1, dead_windows_by_week.end());
}

absl::Duration Outcome::mean_delay() const {
  if (delays.empty()) return absl::ZeroDuration();
  return std::accumulate(delays.begin(), delays.end(), absl::ZeroDuration()) /
         static_cast<int64_t>(delays.size());
}

absl::Duration Outcome::p95_delay() const {
  if (delays.empty()) return absl::ZeroDuration();
  std::vector<absl::Duration> sorted = delays;
  std::sort(sorted.begin(), sorted.end());
  return sorted[(sorted.size() - 1) * 95 / 100];
}

Outcome Simulate(const Scenario& scenario, const Contender& contender, int days, uint64_t seed) {
  return Phone(scenario, contender, days, seed).Run();
}

}  // namespace bellwire::bench
