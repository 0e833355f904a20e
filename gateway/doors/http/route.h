#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_ROUTE_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_ROUTE_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gateway/doors/http/request_head.h"

namespace bellwire::http {

// One kind of request that a door serves.
struct Route {
  // "GET" stands for HEAD as well.
  absl::string_view method;
  // Without a query. "{name}" stands for one segment, and at the end for all that is left:
  // "/v1/messages/{token}/{id}". Other segments are literal, and may come percent-encoded.
  absl::string_view path;
};

// The first route that the request fits. Null: none. Pure.
const Route* FindRoute(absl::Span<const Route> routes, const RequestHead& head);

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_ROUTE_H_
