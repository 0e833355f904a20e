#ifndef BELLWIRE_CONNECTOR_DOORS_BELLWIRE_FRAMES_H_
#define BELLWIRE_CONNECTOR_DOORS_BELLWIRE_FRAMES_H_

#include <string>

#include "bellwire/device/v1/device.pb.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "bellwire/push/v1/push.pb.h"

// What the connector writes on the wire, from what the registry says.
namespace bellwire::connector {

// Appends one frame, length and all. REQUIRES: it fits into kMaxFrameBytes.
void AppendFrame(const device::v1::ConnectorFrame& frame, std::string* out);

// The Push of a message, or the Gap of a gap notice, as one frame.
void AppendEnvelope(const internal::v1::Envelope& message, std::string* out);

// That a message was recalled, as one frame.
void AppendRecall(const internal::v1::Recall& recall, std::string* out);

// The receipt that an app's acknowledgement stands for.
push::v1::Step StepOf(device::v1::AppAck::Outcome outcome);

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_DOORS_BELLWIRE_FRAMES_H_
