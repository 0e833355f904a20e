#include "device-agent/core/app_ack_outbox.h"

#include <algorithm>
#include <vector>

#include "common/limits.h"
#include "common/status_macros.h"

namespace bellwire::agent {

void AppAckOutbox::OnSessionStart() {
  sent_up_to_ = 0;
  sent_before_beat_ = 0;
  unconfirmed_ = 0;
  sent_since_beat_ = 0;
}

absl::Status AppAckOutbox::Pump() {
  while (link_->state() == ServerLink::State::kReady) {
    if (unconfirmed_ >= kMaxUnconfirmedAppAcks) {
      // One that is under way and has them all before it answers for them too.
      if (sent_since_beat_ > 0) link_->Beat();
      return absl::OkStatus();
    }
    const size_t limit = std::min(kMaxAppAcksPerFrame, kMaxUnconfirmedAppAcks - unconfirmed_);
    BELLWIRE_ASSIGN_OR_RETURN(std::vector<QueuedAppAck> acks, inbox_->AppAcks(sent_up_to_, limit));
    if (acks.empty()) return absl::OkStatus();
    device::v1::AgentFrame frame;
    for (QueuedAppAck& ack : acks) *frame.mutable_app_ack()->add_items() = std::move(ack.item);
    link_->Send(frame);
    sent_up_to_ = acks.back().id;
    unconfirmed_ += acks.size();
    sent_since_beat_ += acks.size();
  }
  return absl::OkStatus();
}

void AppAckOutbox::OnBeat() {
  sent_before_beat_ = sent_up_to_;
  sent_since_beat_ = 0;
}

absl::Status AppAckOutbox::OnBeatAnswered() {
  if (unconfirmed_ == sent_since_beat_) return absl::OkStatus();
  BELLWIRE_RETURN_IF_ERROR(inbox_->ForgetAppAcks(sent_before_beat_));
  unconfirmed_ = sent_since_beat_;
  return Pump();
}

}  // namespace bellwire::agent
