#ifndef BELLWIRE_CONNECTOR_DOORS_BELLWIRE_CONNECTION_STATE_H_
#define BELLWIRE_CONNECTOR_DOORS_BELLWIRE_CONNECTION_STATE_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "bellwire/device/v1/device.pb.h"

// The state machine of a device's connection, as two tables.
// connector/doors/bellwire/device_connection.h runs it; docs/reference/wire_protocol.md draws it.
namespace bellwire::connector {

enum class ConnectionState : uint8_t {
  // Accepted; TLS is not done.
  kHandshaking,
  // TLS is done; the Login is not here.
  kAwaitingLogin,
  // A good Login; the registry has not answered Bind.
  kBinding,
  // Welcome is sent.
  kActive,
  // GoAway(DRAINING) is sent: nothing more goes to the device, its last acknowledgements come in.
  kDraining,
  // Over; every input is refused or ignored.
  kClosed,
};
inline constexpr ConnectionState kAllConnectionStates[] = {
    ConnectionState::kHandshaking, ConnectionState::kAwaitingLogin, ConnectionState::kBinding,
    ConnectionState::kActive,      ConnectionState::kDraining,      ConnectionState::kClosed};

// "HANDSHAKING", … for logs.
absl::string_view Name(ConnectionState state);

// Whether `to` may follow `from`.
bool CanMove(ConnectionState from, ConnectionState to);

// What a frame of the agent is, before it is known whether it may come now.
enum class FrameKind : uint8_t {
  kHeartbeat,
  kLogin,
  kAck,
  kAppAck,
  kRegisterApp,
  kRemoveApp,
  kActivityChange,
  kNetworkReport,
  kTopicChange,
  // A body that this version doesn't know.
  kUnknown,
};
inline constexpr FrameKind kAllFrameKinds[] = {
    FrameKind::kHeartbeat,      FrameKind::kLogin,         FrameKind::kAck,
    FrameKind::kAppAck,         FrameKind::kRegisterApp,   FrameKind::kRemoveApp,
    FrameKind::kActivityChange, FrameKind::kNetworkReport, FrameKind::kTopicChange,
    FrameKind::kUnknown};

absl::string_view Name(FrameKind kind);
FrameKind KindOf(const device::v1::AgentFrame& frame);

enum class FrameRule : uint8_t {
  kHandle,
  kIgnore,
  // The connection ends with GoAway(PROTOCOL_ERROR).
  kViolation,
};

// What becomes of a frame of this kind in this state.
FrameRule RuleFor(ConnectionState state, FrameKind kind);

// Why a connection ended: one of a fixed set, for logs and counters.
enum class CloseReason : uint8_t {
  // The peer closed it in good order, or …
  kPeerClosed,
  // … it broke, or its TLS handshake was refused.
  kTransportError,
  // TLS or Login did not complete in time.
  kLoginTimeout,
  // A bad signature or key.
  kLoginRefused,
  kProtocolError,
  // A newer session of the device took over.
  kReplaced,
  kSilent,
  // It didn't read what was written to it.
  kWriteOverflow,
  // The registry could not bind the session, or the session's queues are full.
  kOverloaded,
  kDrained,
  // The whole server ends at once.
  kShutdown,
  // A new device without an enrolment token that is good, where one is wanted.
  kNotEnrolled,
  // Whoever runs the server has revoked the device.
  kRevoked,
  // A new device, and the server takes no more of them now.
  kNoNewDevices,
};
inline constexpr size_t kCloseReasons = static_cast<size_t>(CloseReason::kNoNewDevices) + 1;

// "peer_closed", …
absl::string_view Name(CloseReason reason);

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_DOORS_BELLWIRE_CONNECTION_STATE_H_
