#ifndef BELLWIRE_GATEWAY_CALL_CALL_TRACE_H_
#define BELLWIRE_GATEWAY_CALL_CALL_TRACE_H_

#include <string>

#include "bellwire/push/v1/push.pb.h"
#include "common/trace_context.h"
#include "gateway/doors/http/header_list.h"

namespace bellwire::gateway {

// The trace that a call names: its field `traceparent`, of HTTP or of gRPC's metadata. "": none.
// One that is malformed is as none (W3C Trace Context, 3.2.2.2): a tracer's mistake loses no
// message.
inline std::string CallTrace(const http::HeaderList& headers) {
  const std::string* const field = http::FindHeader(headers, "traceparent");
  return field != nullptr && ParseTraceparent(*field).has_value() ? *field : "";
}

// A message belongs to the trace of the call that sends it, unless it names another one.
inline void TakeCallTrace(const http::HeaderList& headers, push::v1::SendRequest* message) {
  if (message->traceparent().empty()) message->set_traceparent(CallTrace(headers));
}

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_CALL_CALL_TRACE_H_
