#ifndef BELLWIRE_RPC_GRPC_STATUS_H_
#define BELLWIRE_RPC_GRPC_STATUS_H_

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

// Errors at the gRPC edge: what common/error.h attaches to an absl::Status travels as a serialized
// google.rpc.Status in the trailer grpc-status-details-bin, where any client with the standard
// rich-error model finds it. Pure functions.
namespace bellwire {

// Reason and metadata become ErrorInfo (domain "bellwire"), the retry delay RetryInfo, the field
// BadRequest. The trailers keep within the 8 KiB that clients take: a message beyond 1 KiB is cut,
// metadata beyond 1 KiB is left out. Bytes that are no UTF-8 become '?'.
grpc::Status ToGrpcStatus(const absl::Status& status);

// The inverse. Details that are malformed, unknown or of another domain are left out.
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace bellwire

#endif  // BELLWIRE_RPC_GRPC_STATUS_H_
