#ifndef BELLWIRE_GATEWAY_AUTH_BEARER_TOKEN_H_
#define BELLWIRE_GATEWAY_AUTH_BEARER_TOKEN_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/doors/http/header_list.h"

namespace bellwire::gateway {

// The credential in a call's metadata `authorization: Bearer CREDENTIAL` (RFC 6750). Points into
// `metadata`. UNAUTHENTICATED MISSING_CREDENTIAL if there is none, BAD_CREDENTIAL if it is of
// another scheme, or there are several. Pure function.
absl::StatusOr<absl::string_view> BearerToken(const http::HeaderList& metadata);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_AUTH_BEARER_TOKEN_H_
