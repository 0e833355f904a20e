#ifndef BELLWIRE_GATEWAY_SEND_SEND_RESULT_H_
#define BELLWIRE_GATEWAY_SEND_SEND_RESULT_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bellwire/push/v1/push.pb.h"

// How the outcome of one message looks inside a batch or a stream. Pure functions.
namespace bellwire::gateway {

// Says what rpc/grpc_status.h would say for a unary Send. REQUIRES: !status.ok().
push::v1::SendError ToSendError(const absl::Status& status);

push::v1::SendResult ToSendResult(absl::StatusOr<push::v1::SendResponse> response);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_SEND_SEND_RESULT_H_
