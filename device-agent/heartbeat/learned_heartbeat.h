#ifndef BELLWIRE_DEVICE_AGENT_HEARTBEAT_LEARNED_HEARTBEAT_H_
#define BELLWIRE_DEVICE_AGENT_HEARTBEAT_LEARNED_HEARTBEAT_H_

#include <functional>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/clock.h"
#include "device-agent/heartbeat/heartbeat_policy.h"
#include "device-agent/heartbeat/interval_search.h"
#include "device-agent/heartbeat/network_key.h"
#include "device-agent/heartbeat/network_table.h"

namespace bellwire::agent {

// A session that comes so soon after a dead path says that the network itself was alive: what died
// was the path, a NAT's mapping. If it takes longer the network was away, which says nothing about
// NATs.
inline constexpr absl::Duration kAliveWithin = absl::Seconds(10);
// A settled beat is welcome from this part of its interval on.
inline constexpr double kAlignmentWindow = 7.0 / 8;

// Learns, network by network, the longest silence that the path survives
// (docs/internals/heartbeat.md). Thread-compatible.
class LearnedHeartbeat final : public HeartbeatPolicy {
 public:
  struct Options {
    // Outlives the policy. Required.
    const Clock* clock = nullptr;
    // What was known before.
    NetworkTable known;
    // Names the network that the phone is in. Asked when a session begins: then the kernel knows
    // its gateway's link-layer address. Required.
    std::function<NetworkKey()> network;
    // Takes NetworkTable::Serialize() whenever something was learned: a few times per network, and
    // then hardly ever. May be null.
    std::function<void(const std::string&)> save;
    // Whether the server is told what was learned, for the hints that others get, and asked for
    // hints.
    bool share = true;
  };
  explicit LearnedHeartbeat(Options options);
  // Points into itself.
  LearnedHeartbeat(const LearnedHeartbeat&) = delete;
  LearnedHeartbeat& operator=(const LearnedHeartbeat&) = delete;

  absl::Duration interval() const override;
  // The longest there is: a search goes up within one session.
  absl::Duration promise() const override;
  // While something is being learned a beat that comes early would teach nothing.
  absl::Duration earliest() const override;
  // A hint that comes with them counts if the network is the one that the server was told of last.
  void SetBounds(const HeartbeatBounds& bounds) override;
  std::optional<NetworkReport> OnLogin() override;
  std::optional<NetworkReport> TakeReport() override;
  void OnReady() override;
  void OnNetworkNamed() override;
  void OnAlive(absl::Duration silence) override;
  void OnDead(absl::Duration silence) override;

  std::optional<NetworkStatus> network_status() const override;
  // For people: where the present network's search is.
  NetworkRecord::Phase phase() const { return record_->phase; }

 private:
  struct Suspicion {
    absl::Duration silence;
    MonotonicTime since;
  };

  SearchBounds search_bounds() const;
  void EnterNetwork(NetworkKey network, const NetworkId& id);
  void SaveIfChanged();
  // The settled interval of the record; zero: it is not settled, or null.
  static absl::Duration Learned(const NetworkRecord* record);

  Options options_;
  HeartbeatBounds bounds_;
  NetworkKey network_;
  NetworkId id_;
  // Which network the server was asked for a hint for last, and what was said of it last.
  std::optional<NetworkId> asked_;
  absl::Duration told_;
  // Of `network_`, in options_.known; before the first session, of no network.
  NetworkRecord* record_ = &none_;
  NetworkRecord none_;
  // The path died, and whether the network did too is not known yet.
  std::optional<Suspicion> suspicion_;
  std::string saved_;
  // It was said that this network has no name of its own.
  bool said_nameless_ = false;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_HEARTBEAT_LEARNED_HEARTBEAT_H_
