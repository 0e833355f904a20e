#ifndef BELLWIRE_BENCH_BATTERY_RIVAL_POLICIES_H_
#define BELLWIRE_BENCH_BATTERY_RIVAL_POLICIES_H_

#include <functional>
#include <map>

#include "absl/time/time.h"
#include "common/clock.h"
#include "device-agent/heartbeat/heartbeat_policy.h"
#include "device-agent/heartbeat/network_key.h"

// How others time their heartbeats, written from the published facts, not from their code. For
// comparison only. Thread-compatible, all of them.
namespace bellwire::bench {

using NetworkSource = std::function<agent::NetworkKey()>;

// Another fixed interval for each kind of network, as GCM's.
class FixedByKind final : public agent::HeartbeatPolicy {
 public:
  FixedByKind(NetworkSource network, absl::Duration cellular, absl::Duration other)
      : network_(std::move(network)), cellular_(cellular), other_(other) {}

  absl::Duration interval() const override {
    return network_().kind == agent::NetworkKey::Kind::kCellular ? cellular_ : other_;
  }
  void SetBounds(const agent::HeartbeatBounds&) override {}
  void OnAlive(absl::Duration) override {}
  void OnDead(absl::Duration) override {}

 private:
  const NetworkSource network_;
  const absl::Duration cellular_;
  const absl::Duration other_;
};

// microG: between 5 and 30 min, 2 % longer after each success, 5 % shorter after each time-out; the
// same for all networks.
class MicroG final : public agent::HeartbeatPolicy {
 public:
  absl::Duration interval() const override { return interval_; }
  void SetBounds(const agent::HeartbeatBounds&) override {}
  void OnAlive(absl::Duration) override;
  void OnDead(absl::Duration) override;

 private:
  absl::Duration interval_ = absl::Minutes(5);
};

// Tencent mars: from 210 to 600 s in steps of 60 s, five successes to grow, two failures to fall
// back; settles 20 s below what worked and tries again after seven days; three beats at the minimum
// after each connect; per network.
class Mars final : public agent::HeartbeatPolicy {
 public:
  Mars(NetworkSource network, const Clock* clock) : network_(std::move(network)), clock_(clock) {}

  absl::Duration interval() const override;
  void SetBounds(const agent::HeartbeatBounds&) override {}
  void OnReady() override;
  void OnAlive(absl::Duration silence) override;
  void OnDead(absl::Duration silence) override;

 private:
  struct Known {
    absl::Duration current = absl::Seconds(210);
    bool stable = false;
    absl::Time stable_since;
    int successes = 0;
    int failures = 0;
  };
  void Settle(Known* known, absl::Duration worked);

  const NetworkSource network_;
  const Clock* const clock_;
  std::map<NetworkId, Known> known_;
  Known* present_ = nullptr;
  int beats_at_minimum_ = 0;
};

}  // namespace bellwire::bench

#endif  // BELLWIRE_BENCH_BATTERY_RIVAL_POLICIES_H_
