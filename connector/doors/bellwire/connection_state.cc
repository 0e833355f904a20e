#include "connector/doors/bellwire/connection_state.h"

namespace bellwire::connector {

absl::string_view Name(ConnectionState state) {
  switch (state) {
    case ConnectionState::kHandshaking:
      return "HANDSHAKING";
    case ConnectionState::kAwaitingLogin:
      return "AWAITING_LOGIN";
    case ConnectionState::kBinding:
      return "BINDING";
    case ConnectionState::kActive:
      return "ACTIVE";
    case ConnectionState::kDraining:
      return "DRAINING";
    case ConnectionState::kClosed:
      return "CLOSED";
  }
  return "?";
}

bool CanMove(ConnectionState from, ConnectionState to) {
  using S = ConnectionState;
  switch (from) {
    case S::kHandshaking:
      return to == S::kAwaitingLogin || to == S::kClosed;
    case S::kAwaitingLogin:
      return to == S::kBinding || to == S::kClosed;
    case S::kBinding:
      return to == S::kActive || to == S::kClosed;
    case S::kActive:
      return to == S::kDraining || to == S::kClosed;
    case S::kDraining:
      return to == S::kClosed;
    case S::kClosed:
      return false;
  }
  return false;
}

absl::string_view Name(FrameKind kind) {
  switch (kind) {
    case FrameKind::kHeartbeat:
      return "heartbeat";
    case FrameKind::kLogin:
      return "Login";
    case FrameKind::kAck:
      return "Ack";
    case FrameKind::kAppAck:
      return "AppAck";
    case FrameKind::kRegisterApp:
      return "RegisterApp";
    case FrameKind::kRemoveApp:
      return "RemoveApp";
    case FrameKind::kActivityChange:
      return "ActivityChange";
    case FrameKind::kNetworkReport:
      return "NetworkReport";
    case FrameKind::kTopicChange:
      return "TopicChange";
    case FrameKind::kUnknown:
      return "unknown frame";
  }
  return "?";
}

FrameKind KindOf(const device::v1::AgentFrame& frame) {
  using device::v1::AgentFrame;
  switch (frame.body_case()) {
    case AgentFrame::kLogin:
      return FrameKind::kLogin;
    case AgentFrame::kAck:
      return FrameKind::kAck;
    case AgentFrame::kAppAck:
      return FrameKind::kAppAck;
    case AgentFrame::kRegisterApp:
      return FrameKind::kRegisterApp;
    case AgentFrame::kRemoveApp:
      return FrameKind::kRemoveApp;
    case AgentFrame::kActivityChange:
      return FrameKind::kActivityChange;
    case AgentFrame::kNetworkReport:
      return FrameKind::kNetworkReport;
    case AgentFrame::kTopicChange:
      return FrameKind::kTopicChange;
    case AgentFrame::BODY_NOT_SET:
      return FrameKind::kUnknown;
  }
  return FrameKind::kUnknown;
}

FrameRule RuleFor(ConnectionState state, FrameKind kind) {
  switch (state) {
    // No bytes can come before TLS is done.
    case ConnectionState::kHandshaking:
      return FrameRule::kViolation;
    case ConnectionState::kAwaitingLogin:
      return kind == FrameKind::kLogin ? FrameRule::kHandle : FrameRule::kViolation;
    // The agent waits for Welcome.
    case ConnectionState::kBinding:
      return FrameRule::kViolation;
    case ConnectionState::kActive:
      if (kind == FrameKind::kLogin) return FrameRule::kViolation;
      return kind == FrameKind::kUnknown ? FrameRule::kIgnore : FrameRule::kHandle;
    // What the agent wrote before it read GoAway still counts.
    case ConnectionState::kDraining:
      if (kind == FrameKind::kLogin) return FrameRule::kViolation;
      return kind == FrameKind::kUnknown ? FrameRule::kIgnore : FrameRule::kHandle;
    case ConnectionState::kClosed:
      return FrameRule::kIgnore;
  }
  return FrameRule::kViolation;
}

absl::string_view Name(CloseReason reason) {
  switch (reason) {
    case CloseReason::kPeerClosed:
      return "peer_closed";
    case CloseReason::kTransportError:
      return "transport_error";
    case CloseReason::kLoginTimeout:
      return "login_timeout";
    case CloseReason::kLoginRefused:
      return "login_refused";
    case CloseReason::kProtocolError:
      return "protocol_error";
    case CloseReason::kReplaced:
      return "replaced";
    case CloseReason::kSilent:
      return "silent";
    case CloseReason::kWriteOverflow:
      return "write_overflow";
    case CloseReason::kOverloaded:
      return "overloaded";
    case CloseReason::kDrained:
      return "drained";
    case CloseReason::kShutdown:
      return "shutdown";
    case CloseReason::kNotEnrolled:
      return "not_enrolled";
    case CloseReason::kRevoked:
      return "revoked";
    case CloseReason::kNoNewDevices:
      return "no_new_devices";
  }
  return "?";
}

}  // namespace bellwire::connector
