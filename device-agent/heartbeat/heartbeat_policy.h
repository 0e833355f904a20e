#ifndef BELLWIRE_DEVICE_AGENT_HEARTBEAT_HEARTBEAT_POLICY_H_
#define BELLWIRE_DEVICE_AGENT_HEARTBEAT_HEARTBEAT_POLICY_H_

#include <algorithm>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/ids.h"
#include "common/limits.h"

namespace bellwire::agent {

// What the server allows (bellwire.device.v1.HeartbeatBounds).
struct HeartbeatBounds {
  absl::Duration min = kMinHeartbeatInterval;
  absl::Duration max = kMaxHeartbeatInterval;
  // What others learned on this network; zero: unknown.
  absl::Duration hint;

  absl::Duration Clamp(absl::Duration interval) const { return std::clamp(interval, min, max); }
};

// What the server is told about a network (bellwire.device.v1.NetworkReport).
struct NetworkReport {
  NetworkId network;
  // The longest silence that it is known to allow. Zero: not known yet.
  absl::Duration interval;
};

// What is known about the present network, for people.
struct NetworkStatus {
  // As NetworkKey has them.
  std::string kind;
  std::string interface;
  // Whether somebody told its name.
  bool named = false;
  std::string gateway;
  // Zero: still being learned.
  absl::Duration learned;
  // What others learned. Zero: the server told nothing.
  absl::Duration hint;
};

// Decides how long the connection may be silent before a heartbeat: long enough to let the radio
// sleep, short enough that no NAT on the way forgets the connection. Thread-compatible.
class HeartbeatPolicy {
 public:
  virtual ~HeartbeatPolicy() = default;

  // The interval to use from now on, within the bounds.
  virtual absl::Duration interval() const = 0;
  // The longest that interval() may become while a session lasts: what a login has to promise. At
  // least interval().
  virtual absl::Duration promise() const { return interval(); }
  // A beat after so long a silence is welcome if the phone is awake anyway: it saves a wake-up
  // later. At most interval().
  virtual absl::Duration earliest() const { return interval(); }
  // The server's bounds, at login and whenever they change.
  virtual void SetBounds(const HeartbeatBounds& bounds) = 0;

  // A login is about to be sent: what it tells of the network. Nullopt: nothing.
  virtual std::optional<NetworkReport> OnLogin() { return std::nullopt; }
  // What was learned since, or which network this is if the login did not say; for the server,
  // once. Asked after OnReady, OnNetworkNamed and OnAlive.
  virtual std::optional<NetworkReport> TakeReport() { return std::nullopt; }

  // Nullopt: it learns nothing, or there was no session yet.
  virtual std::optional<NetworkStatus> network_status() const { return std::nullopt; }

  // A session began: the network works, and may be another one than before. Before its bounds are
  // set.
  virtual void OnReady() {}
  // In a session: the network that the phone is in may have another name than was thought.
  virtual void OnNetworkNamed() {}
  // The path was silent for `silence` and carried a heartbeat and its answer then, however slow …
  virtual void OnAlive(absl::Duration silence) = 0;
  // … or did not, and the connection is given up.
  virtual void OnDead(absl::Duration silence) = 0;
};

// Always the same interval, as far as the bounds allow.
class FixedHeartbeat final : public HeartbeatPolicy {
 public:
  explicit FixedHeartbeat(absl::Duration interval) : wanted_(interval) {}

  absl::Duration interval() const override { return bounds_.Clamp(wanted_); }
  void SetBounds(const HeartbeatBounds& bounds) override { bounds_ = bounds; }
  void OnAlive(absl::Duration) override {}
  void OnDead(absl::Duration) override {}

 private:
  const absl::Duration wanted_;
  HeartbeatBounds bounds_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_HEARTBEAT_HEARTBEAT_POLICY_H_
