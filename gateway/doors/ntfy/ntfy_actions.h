#ifndef BELLWIRE_GATEWAY_DOORS_NTFY_NTFY_ACTIONS_H_
#define BELLWIRE_GATEWAY_DOORS_NTFY_NTFY_ACTIONS_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway {

// The buttons of an ntfy message, in either form that publishers write:
//   [{"action":"view","label":"Open","url":"https://..."}]
//   view, Open, https://...; http, "Close, please", https://..., method=PUT, headers.x=1
// Answers the list that subscribers get. Bounds are those of the request. Errors: NtfyError 40018.
// Pure function.
absl::StatusOr<nlohmann::ordered_json> ParseNtfyActions(absl::string_view text);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_NTFY_NTFY_ACTIONS_H_
