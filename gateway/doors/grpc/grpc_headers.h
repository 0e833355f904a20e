#ifndef BELLWIRE_GATEWAY_DOORS_GRPC_GRPC_HEADERS_H_
#define BELLWIRE_GATEWAY_DOORS_GRPC_GRPC_HEADERS_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/doors/http/header_list.h"

// The header fields of gRPC over HTTP/2 (gRPC's PROTOCOL-HTTP2.md). Pure functions.
namespace bellwire::gateway {

// "application/grpc", perhaps with "+proto" or parameters. gRPC-Web is another protocol.
bool IsGrpcContentType(absl::string_view content_type);

// Of `grpc-timeout`, such as "100m"; nullopt: malformed.
std::optional<absl::Duration> ParseGrpcTimeout(absl::string_view text);

// As `grpc-message` carries text: whatever isn't printable ASCII, and '%', as %XX.
std::string PercentEncode(absl::string_view text);

// The fields that tell a call's end: grpc-status and, with an error, grpc-message and
// grpc-status-details-bin (rpc/grpc_status.h).
http::HeaderList StatusTrailers(const absl::Status& status);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_GRPC_GRPC_HEADERS_H_
