#include "connector/shard/connector_counters.h"

namespace bellwire::connector {

void ConnectorCounters::OnClosed(ConnectionState state, CloseReason reason, bool had_session) {
  const size_t index = static_cast<size_t>(reason);
  (had_session ? sessions_ended_ : failed_logins_)[index].Add();
  if (state == ConnectionState::kHandshaking) failed_handshakes_.Add();
}

void ConnectorCounters::Report(metrics::Samples* samples) const {
  samples->Add(metrics::kHandshakes, {"full"}, full_handshakes_);
  samples->Add(metrics::kHandshakes, {"resumed"}, resumed_handshakes_);
  samples->Add(metrics::kHandshakes, {"failed"}, failed_handshakes_);
  samples->Add(metrics::kLogins, {"ok"}, logins_);
  for (size_t i = 0; i < kCloseReasons; ++i) {
    const absl::string_view reason = Name(static_cast<CloseReason>(i));
    samples->Add(metrics::kLogins, {reason}, failed_logins_[i]);
    samples->Add(metrics::kSessionsEnded, {reason}, sessions_ended_[i]);
  }
  samples->Add(metrics::kHandOversTaken, {"taken"}, taken_);
  samples->Add(metrics::kHandOversTaken, {"no_session"}, no_session_);
  samples->Add(metrics::kPushes, sessions_.pushes);
  samples->Add(metrics::kHeartbeats, sessions_.heartbeats);
}

}  // namespace bellwire::connector
