#include "connector/doors/bellwire/frames.h"

#include "net/socket/frame_codec.h"

namespace bellwire::connector {

namespace {

device::v1::Priority PriorityOf(push::v1::Priority priority) {
  switch (priority) {
    case push::v1::PRIORITY_HIGH:
      return device::v1::HIGH;
    case push::v1::PRIORITY_LOW:
      return device::v1::LOW;
    default:
      return device::v1::NORMAL;
  }
}

}  // namespace

void AppendFrame(const device::v1::ConnectorFrame& frame, std::string* out) {
  net::AppendFrame(frame.SerializeAsString(), out);
}

void AppendRecall(const internal::v1::Recall& recall, std::string* out) {
  device::v1::ConnectorFrame frame;
  frame.mutable_recall()->set_message_id(recall.message_id());
  frame.mutable_recall()->set_registration_id(recall.registration_id());
  frame.mutable_recall()->set_seq(recall.seq());
  AppendFrame(frame, out);
}

void AppendEnvelope(const internal::v1::Envelope& message, std::string* out) {
  device::v1::ConnectorFrame frame;
  if (message.gap_dropped() != 0) {
    device::v1::Gap* gap = frame.mutable_gap();
    gap->set_registration_id(message.registration_id());
    gap->set_dropped(message.gap_dropped());
    gap->set_seq(message.seq());
  } else {
    device::v1::Push* push = frame.mutable_push();
    push->set_seq(message.seq());
    push->set_message_id(message.message_id());
    push->set_registration_id(message.registration_id());
    push->set_payload(message.payload());
    push->set_priority(PriorityOf(message.priority()));
    push->set_expires_at_ms(message.expires_at_ms());
    push->set_accepted_at_ms(message.accepted_at_ms());
    push->set_collapse_key(message.collapse_key());
    if (message.has_content()) {
      device::v1::Content* content = push->mutable_content();
      content->set_door(static_cast<device::v1::Content::Door>(message.content().door()));
      content->set_encoding(message.content().encoding());
      content->set_encryption(message.content().encryption());
      content->set_crypto_key(message.content().crypto_key());
    }
  }
  AppendFrame(frame, out);
}

push::v1::Step StepOf(device::v1::AppAck::Outcome outcome) {
  switch (outcome) {
    case device::v1::AppAck::EXPIRED:
      return push::v1::EXPIRED;
    case device::v1::AppAck::COLLAPSED:
      return push::v1::COLLAPSED;
    case device::v1::AppAck::RECALLED:
      return push::v1::RECALLED;
    case device::v1::AppAck::UNREGISTERED:
      return push::v1::UNREGISTERED;
    case device::v1::AppAck::OVERFLOWED:
      return push::v1::OVERFLOWED;
    // An outcome of a later version ended on the device too.
    default:
      return push::v1::APP_ACKED;
  }
}

}  // namespace bellwire::connector
