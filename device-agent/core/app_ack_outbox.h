#ifndef BELLWIRE_DEVICE_AGENT_CORE_APP_ACK_OUTBOX_H_
#define BELLWIRE_DEVICE_AGENT_CORE_APP_ACK_OUTBOX_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "device-agent/core/server_link.h"
#include "device-agent/inbox/inbox.h"

namespace bellwire::agent {

// Tells the server what became of messages on this device. The protocol answers no AppAck, but the
// answer to a heartbeat says that the connector has read all that came before it: only then are
// they forgotten. What a lost connection swallowed is told again on the next one; the server knows
// repetitions. Pure and single-threaded.
class AppAckOutbox {
 public:
  // Both must outlive the outbox.
  AppAckOutbox(Inbox* inbox, ServerLink* link) : inbox_(inbox), link_(link) {}

  // The server may have missed everything that is still on disk.
  void OnSessionStart();
  // Sends what is on disk and was not sent in this session, while at most kMaxUnconfirmedAppAcks
  // are unconfirmed. Without a session it does nothing.
  absl::Status Pump();
  // A heartbeat went out, and was answered.
  void OnBeat();
  absl::Status OnBeatAnswered();

 private:
  Inbox* const inbox_;
  ServerLink* const link_;
  // Ids of QueuedAppAck: sent in this session, and sent before the last heartbeat.
  int64_t sent_up_to_ = 0;
  int64_t sent_before_beat_ = 0;
  // Sent in this session and not confirmed; and how many of them after the last heartbeat.
  size_t unconfirmed_ = 0;
  size_t sent_since_beat_ = 0;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_CORE_APP_ACK_OUTBOX_H_
