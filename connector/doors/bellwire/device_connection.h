#ifndef BELLWIRE_CONNECTOR_DOORS_BELLWIRE_DEVICE_CONNECTION_H_
#define BELLWIRE_CONNECTOR_DOORS_BELLWIRE_DEVICE_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/device/v1/device.pb.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/limits.h"
#include "connector/doors/bellwire/connection_host.h"
#include "connector/doors/bellwire/connection_state.h"
#include "connector/session/delivery_order.h"
#include "connector/session/gauge.h"
#include "connector/session/heartbeat_range.h"
#include "connector/session/idle_vector.h"
#include "connector/session/sent_window.h"
#include "connector/session/session_counters.h"
#include "net/socket/frame_codec.h"

namespace bellwire::connector {

// What the connections of one shard share. Outlives them.
struct ConnectionContext {
  const Clock* clock;
  // Randomises when agents are to come back. Used on the shard's thread only.
  absl::BitGenRef random;
  // This connector in a Route.
  std::string connector_address;
  uint64_t connector_incarnation;
  absl::Duration login_timeout = kLoginTimeout;
  HeartbeatRange heartbeat_range;
  // Payload bytes sent and not acknowledged.
  Gauge* bytes_in_flight;
  // Device addresses of other connectors, "host:port": one at random goes into the GoAway of a
  // drain. Empty: agents come back to where they are configured to.
  std::vector<std::string> drain_to = {};
  // What the endpoints of subscriptions begin with, such as "https://push.example.com", without a
  // slash at its end. Empty: none are made.
  std::string public_url = {};
  // Null: nothing is counted.
  SessionCounters* counters = nullptr;
};

// One connection of a device, from accept to close: the whole protocol of bellwire.device.v1 on the
// connector's side, as a state machine (connector/doors/bellwire/connection_state.h has its tables)
// that takes bytes, answers of the registry, hand-overs and timers, and acts through a
// ConnectionHost. It touches no socket and no clock but the one passed in.
//
// What it guarantees to the device: a message is sent once per session, those of one priority in
// the order of the mailbox (now-or-never messages jump the queue), none that is to wait for an
// active device or the radio (delivery_order.h), never more unacknowledged than the window
// (sent_window.h); the answer to a heartbeat says that the registry has every AppAck that came
// before it. To the registry: every acknowledgement of the device is handed over, repeated until it
// is taken or the session ends, and what became of each now-or-never message that it took.
//
// Single-threaded. An input in kClosed does nothing. Small when idle: no
// buffer, queue or list holds heap memory while nothing is under way.
class DeviceConnection {
 public:
  // A connection was accepted; TLS is about to start. `session_id` is unique in this process.
  // `context` and `host` must outlive the connection. The peer took `silent_for` to say anything,
  // which counts as part of its time for a login.
  DeviceConnection(ConnectionContext* context, uint64_t session_id, ConnectionHost* host,
                   absl::Duration silent_for = absl::ZeroDuration());
  DeviceConnection(const DeviceConnection&) = delete;
  DeviceConnection& operator=(const DeviceConnection&) = delete;

  ConnectionState state() const { return state_; }
  uint64_t session_id() const { return session_id_; }
  // From kBinding on.
  const DeviceId& device_id() const { return device_id_; }
  uint64_t login_number() const { return login_number_; }

  // --- The transport. ---

  // TLS is done.
  void OnOpen();
  void OnData(absl::string_view data);
  // It ended: OK for a clean end of the peer, or why.
  void OnTransportClosed(const absl::Status& status);

  // --- Time. ---

  void OnTimer();
  void OnFlush();
  // Somebody else needs its place: it is told OVERLOADED. REQUIRES: not bound, nor binding.
  void OnLoginOverdue();

  // --- The registry's answers. ---

  void OnBound(absl::StatusOr<internal::v1::BindResponse> response);
  void OnPulled(absl::StatusOr<internal::v1::PullResponse> response);
  void OnAckTaken(const absl::Status& status);
  void OnAppAckTaken(const absl::Status& status);
  // One of `app_id` and `instance` is empty: what the request was about.
  void OnAppRegistered(uint32_t request_id, absl::string_view app_id, absl::string_view instance,
                       absl::StatusOr<internal::v1::RegisterAppResponse> response);
  void OnAppRemoved(uint32_t request_id,
                    const absl::StatusOr<internal::v1::RemoveAppResponse>& response);
  void OnTopicChanged(uint32_t request_id, const absl::Status& status);
  // 0: there is none.
  void OnNetworkHint(uint32_t hint_interval_ms);

  // --- The registry's hand-overs. ---

  // False: there is no session for it. What comes from a registry that is older than Bind's is
  // dropped without a word.
  bool HandOver(const internal::v1::ConnectorRequest& request);
  // A newer login of the device has won, or the device was revoked.
  void Evict(const internal::v1::Evict& evict);

  // --- The stream to the registry. ---

  // It broke: nobody knows what was handed over since.
  void OnRegistryLost();
  // It is back: the session asks what it has missed. REQUIRES: OnRegistryLost came before.
  void Resume();
  void OnResumed(const absl::StatusOr<internal::v1::ResumeResponse>& response);

  // --- The server. ---

  // Sends the agent away in good order: it closes itself, at the latest after kGoAwayLinger.
  void Drain();
  // Closes at once, without a word.
  void Shutdown();

 private:
  // --- The machine. ---
  void MoveTo(ConnectionState next);
  void End(CloseReason reason, absl::string_view detail);
  void EndWithGoAway(device::v1::GoAway::Reason away, CloseReason reason, absl::string_view detail);
  void ProtocolError(absl::string_view detail);
  void Replaced(uint64_t winning_login_number);
  void Revoked();
  // Whether the registry says that the device was revoked, or that it is new and may not come in:
  // then the connection has ended.
  bool EndIfRevoked(const absl::Status& status);
  bool EndIfNotTakenIn(const absl::Status& status);
  // With when to come back.
  void SendAway(device::v1::GoAway::Reason away, CloseReason reason, absl::string_view detail);
  void LoginNumberTooGreat(const absl::Status& status);
  void Overloaded(absl::string_view detail);
  void LoginTimedOut();
  bool IsBound() const {
    return state_ == ConnectionState::kActive || state_ == ConnectionState::kDraining;
  }

  // --- Frames. ---
  void OnFrame(absl::string_view body);
  void OnHeartbeat();
  void AnswerHeartbeat();
  void OnLogin(const device::v1::Login& login);
  void OnNetworkReport(const device::v1::NetworkReport& report);
  device::v1::HeartbeatBounds Bounds(uint32_t hint_interval_ms) const;
  void OnActivityChange(const device::v1::ActivityChange& change);
  void OnAck(const device::v1::Ack& ack);
  void OnAppAck(const device::v1::AppAck& app_ack);
  void OnRegisterApp(const device::v1::RegisterApp& request);
  void RefuseRegistration(const device::v1::RegisterApp& request,
                          device::v1::AppRegistered::Outcome outcome);
  void OnRemoveApp(const device::v1::RemoveApp& request);
  void OnTopicChange(const device::v1::TopicChange& request);
  void Send(absl::string_view frames);
  void Send(const device::v1::ConnectorFrame& frame);

  static bool IsTransient(const absl::Status& status);
  static uint64_t WinningLoginNumber(const absl::Status& status);

  // --- Messages. ---
  // Another registry owns the device than when the session was bound, and hands over already.
  void MeetNewOwner();
  void Deliver(const internal::v1::Envelope& message);
  void DeliverNowOrNever(const internal::v1::Envelope& message, std::string* frames);
  void TellOutcome(uint64_t seq, internal::v1::HandedOverRequest::Outcome outcome);
  // False: the window has no room for it.
  bool TransmitInTurn(const internal::v1::Envelope& message, std::string* frames);
  void Transmit(const internal::v1::Envelope& message, std::string* frames);
  // After everything that may have moved a cursor, the gate or the window.
  void PullIfWanted();
  void LimitNormalWait();

  // --- The registry. ---
  internal::v1::Route MyRoute() const;
  void TellRegistry();
  void RegistryTook();
  void RegistryFailed();
  void AnswerOldHeartbeats(size_t app_acks_taken);
  // After everything that changed app_acks_: stops reading from the device, or goes on.
  void LimitAppAcks();
  void EndDrainIfDone();

  // --- Time. ---
  MonotonicTime Now() const { return context_->clock->Monotonic(); }
  void ResetSilence();
  void Rearm();
  uint32_t RandomMs(absl::Duration min, absl::Duration max);

  static constexpr MonotonicTime kNever = MonotonicTime::FromNanoseconds(INT64_MAX);

  ConnectionContext* const context_;
  ConnectionHost* const host_;
  const uint64_t session_id_;
  DeviceId device_id_;
  uint64_t login_number_ = 0;
  // Of the registry that bound it, or that it resumed at. What is older is not for it.
  uint64_t epoch_ = 0;
  // As the registry said last. 0: not known.
  uint64_t registrations_tag_ = 0;

  net::FrameDecoder decoder_;
  DeliveryOrder order_;
  SentWindow window_;
  // The first app_acks_told_ of them are with the registry. At most kMaxPendingAppAcks.
  IdleVector<internal::v1::AppAckRequest::Item> app_acks_;

  // The end of the state: login, Bind, silence, or the last acknowledgements of a drain.
  MonotonicTime state_deadline_;
  // When slow acknowledgements and the registry are looked after; kNever: not at all.
  MonotonicTime report_deadline_ = kNever;
  MonotonicTime retry_deadline_ = kNever;
  // When an unanswered heartbeat, or a device that is not read from, has waited too long for the
  // registry.
  MonotonicTime app_ack_deadline_ = kNever;
  // When a NORMAL message has waited long enough for the radio.
  MonotonicTime normal_deadline_ = kNever;
  // What the host's timer is armed for. Later deadlines don't move it: most of them move on before.
  MonotonicTime armed_for_ = kNever;

  uint32_t heartbeat_interval_ms_ = 0;
  uint16_t app_acks_told_ = 0;
  // How many of app_acks_ may be told: the registry has the Acks that came before them.
  uint16_t app_acks_ready_ = 0;
  // How many of app_acks_ came before the Ack that the registry was told last.
  uint16_t app_acks_before_ack_ = 0;
  // How many of app_acks_ came before the last unanswered heartbeat.
  uint16_t app_acks_before_heartbeat_ = 0;
  uint8_t unanswered_heartbeats_ = 0;
  uint16_t pending_app_requests_ = 0;
  uint8_t registry_failures_ = 0;
  uint8_t network_reports_ = 0;
  // Calls of OnData before a good Login.
  uint16_t pre_login_pieces_ = 0;
  ConnectionState state_ = ConnectionState::kHandshaking;
  // Nothing is read from the device: kPauseAtAppAcks wait for the registry.
  bool paused_ = false;
  bool ack_told_ = false;
  bool flush_asked_ = false;
  // The login asked for the mailbox only if it is free.
  bool yields_ = false;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_DOORS_BELLWIRE_DEVICE_CONNECTION_H_
