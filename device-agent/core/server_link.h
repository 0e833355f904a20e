#ifndef BELLWIRE_DEVICE_AGENT_CORE_SERVER_LINK_H_
#define BELLWIRE_DEVICE_AGENT_CORE_SERVER_LINK_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/device/v1/device.pb.h"
#include "common/clock.h"
#include "common/limits.h"
#include "device-agent/core/backoff.h"
#include "device-agent/core/retry_budget.h"
#include "device-agent/heartbeat/heartbeat_policy.h"
#include "net/socket/frame_codec.h"

namespace bellwire::agent {

// The agent's half of the device protocol (docs/reference/wire_protocol.md) as a state machine: it
// decides when to dial, logs in, keeps the connection alive, notices when it is dead, obeys GoAway,
// and comes back.
//
//   kStopped           kConnecting ──OnOpen──▶ kLoggingIn ──Welcome──▶ kReady
//        │                  ▲  │                    │                     │
//   Start│             time │  └──── any failure, GoAway, end of stream ──┤
//        └─────────────▶ kWaiting ◀───────────────────────────────────────┘
//
// However it comes to lose connections, a budget bounds how many it opens (kReconnectBurst).
//
// Pure: bytes, events and a clock come in; bytes, orders to dial and hang up, and a deadline go
// out. Its time is Clock::Boottime: NATs and servers don't wait for a phone that sleeps.
// Single-threaded.
class ServerLink {
 public:
  // After GoAway(NOT_ENROLLED) and GoAway(REVOKED): nothing changes until somebody does something,
  // and then OnEnrolled comes, or an hour is soon enough.
  static constexpr absl::Duration kTurnedAwayWait = absl::Hours(1);

  enum class State { kStopped, kWaiting, kConnecting, kLoggingIn, kReady };

  // Who owns the link: carries out its orders, and takes what arrives. It may call Send, Beat,
  // Abandon and Stop from inside; nothing else.
  class Owner {
   public:
    virtual ~Owner() = default;

    // Opens a connection; OnOpen or OnClosed follow, not from inside.
    virtual void Dial(const std::string& address) = 0;
    virtual void Write(absl::string_view bytes) = 0;
    // Closes the connection (sending what was written); nothing of it is heard any more.
    virtual void HangUp() = 0;
    // Whether the server's kernel has received all that was written: then the path is alive, and
    // only the server is slow. nullopt: nobody can tell.
    virtual std::optional<bool> PeerReceivedAll() { return std::nullopt; }

    // A complete, signed Login but for the heartbeat interval; its number is on disk already. An
    // error: not now.
    virtual absl::StatusOr<device::v1::Login> MakeLogin(const std::string& tls_exporter) = 0;
    // The server has heard of a login of this device with this number; the next one needs a greater
    // one.
    virtual void OnLoginNumberSeen(uint64_t number) = 0;

    // The session began. An error abandons it.
    virtual absl::Status OnWelcome(const device::v1::Welcome& welcome) = 0;
    // Push, Gap, Recall, AppRegistered, AppRemoved or TopicChanged. An error abandons the session.
    virtual absl::Status OnFrame(device::v1::ConnectorFrame frame) = 0;
    // A heartbeat went out …
    virtual void OnBeat() = 0;
    // … and its answer came: the connector has read all that was written before the heartbeat.
    virtual void OnBeatAnswered() = 0;
    // The session that OnWelcome began is over.
    virtual void OnSessionEnd() = 0;
  };

  // `addresses` ("host:port", at least one) are tried in turn. After however many failures the next
  // attempt comes within `reconnect_max`, unless the server asked for more. All must outlive the
  // link.
  ServerLink(std::vector<std::string> addresses, const Clock* clock, HeartbeatPolicy* policy,
             absl::BitGenRef random, Owner* owner, absl::Duration reconnect_max = kReconnectMax);

  // --- Events. ---

  // Dials at once. REQUIRES: kStopped.
  void Start();
  // Hangs up and stays away.
  void Stop();
  void OnOpen(const std::string& tls_exporter);
  void OnData(absl::string_view bytes);
  void OnClosed(const absl::Status& status);
  // The phone is awake for a reason of its own: a beat that is due soon goes out now.
  void OnAwake();
  // The phone slept for a while that matters: whether the path lived is found out at once.
  void OnResumed();
  // The network has changed, and settled. A session that MustReconnect (network_monitor.h) is given
  // up, and a connection that was being opened is opened anew, at once; who waits to come back
  // needn't wait any longer, unless a server had asked for it. The back-off begins anew.
  void OnNetworkChanged(bool must_reconnect);
  // The policy may see another network now than it did: it was told a name. The session goes on
  // with what is known of that network, and the server is asked for a hint.
  void OnNetworkNamed();
  // What the server turned the phone away for may have changed: dials at once, if it waits to come
  // back.
  void OnEnrolled();
  // The deadline is reached; early calls do nothing.
  void OnDeadline();
  // When to call OnDeadline (Clock::Boottime); may change with every event and call.
  std::optional<MonotonicTime> deadline() const;

  // --- The owner's wishes. ---

  // REQUIRES: state() == kReady.
  void Send(const device::v1::AgentFrame& frame);
  // Sends a heartbeat now, or as soon as the one under way is answered: for OnBeatAnswered.
  // REQUIRES: state() == kReady.
  void Beat();
  // Ends this connection, because of trouble on our side, and comes back after a while.
  void Abandon(const absl::Status& why);

  // --- For people. ---

  State state() const { return state_; }
  // Dialled last.
  const std::string& address() const { return address_; }
  // Why there is no session, or why the last one ended. Empty: it never did.
  const std::string& last_error() const { return last_error_; }
  // Of the present session or login.
  absl::Duration heartbeat_interval() const { return interval_; }
  struct Counters {
    uint64_t heartbeats_sent = 0;
    uint64_t bytes_sent = 0;
    uint64_t bytes_received = 0;
  };
  const Counters& counters() const { return counters_; }

 private:
  // Dials, or waits for the budget to allow it.
  void Connect();
  // The connection is over, or is ended here; dials again after `wait`, or as the back-off says.
  void Lose(absl::string_view why, std::optional<absl::Duration> wait, bool hang_up);
  // False: the connection is over.
  bool OnFrameBytes(absl::string_view body);
  void OnWelcome(const device::v1::Welcome& welcome);
  void OnGoAway(const device::v1::GoAway& go_away);
  void YieldToStranger(absl::Duration wait);
  void TakeBounds(const device::v1::HeartbeatBounds& bounds);
  // What the policy has to tell of the network, if anything.
  void ReportNetwork();
  void SendBeat();
  // A beat is not answered: when to ask whether it reached the server at all, and when to give up.
  MonotonicTime silence_began() const { return std::max(*beat_sent_, last_received_); }
  absl::Duration probe_timeout() const;
  void OnBeatOverdue();
  void Write(absl::string_view bytes);
  void MoveTo(State state);
  MonotonicTime next_beat() const;

  const std::vector<std::string> addresses_;
  const Clock* const clock_;
  HeartbeatPolicy* const policy_;
  Owner* const owner_;
  Backoff backoff_;
  RetryBudget budget_;

  State state_ = State::kStopped;
  size_t next_address_ = 0;
  // From GoAway: dialled instead, until that fails.
  std::string redirect_;
  std::string address_;
  std::string last_error_;
  Counters counters_;
  net::FrameDecoder decoder_;

  // kWaiting: because a server asked for it.
  bool asked_to_wait_ = false;
  // kWaiting: when to dial. kConnecting, kLoggingIn: when to give up.
  MonotonicTime deadline_;
  // kReady.
  MonotonicTime ready_since_;
  MonotonicTime last_received_;
  MonotonicTime last_sent_;
  absl::Duration interval_;
  // The interval that Login promised: the connector counts our silence by it.
  absl::Duration promised_;
  // A heartbeat that is not answered yet went out then, after so long a silence.
  std::optional<MonotonicTime> beat_sent_;
  absl::Duration beat_silence_;
  bool beat_again_ = false;
  // A stranger with our key has the mailbox: until claim_at_ we only ask whether it is free.
  bool yields_ = false;
  MonotonicTime claim_at_;
  // Of that beat: its path is in doubt, or known to be alive.
  bool in_doubt_ = false;
  bool received_ = false;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_CORE_SERVER_LINK_H_
