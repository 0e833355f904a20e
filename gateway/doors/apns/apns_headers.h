#ifndef BELLWIRE_GATEWAY_DOORS_APNS_APNS_HEADERS_H_
#define BELLWIRE_GATEWAY_DOORS_APNS_APNS_HEADERS_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/push/v1/push.pb.h"
#include "gateway/doors/apns/apns_reason.h"
#include "gateway/doors/http/request_head.h"

// What all requests of the APNs provider API have in common. Pure functions, but for IdFor.
namespace bellwire::gateway::apns {

Reason Bad(absl::string_view name, int status = 400);

// Without the white space around it. Empty: it is not there.
absl::string_view HeaderOf(const http::RequestHead& head, absl::string_view name);

// Reasons: DuplicateHeaders, MissingProviderToken. nullopt: none.
std::optional<Reason> CheckHeaders(const http::RequestHead& head);

// What names the request in its answer: the header as it came, since clients find their request by
// it, or a new UUID if there is none. Thread-safe.
std::string IdFor(const http::RequestHead& head, absl::string_view name);

// What `apns-priority` and `apns-push-type` say together. nullopt: the first is none.
std::optional<push::v1::Priority> PriorityFrom(absl::string_view priority,
                                               absl::string_view push_type);

// Sets the ttl to what `apns-expiration` says. False: it is no time.
bool SetTtl(absl::string_view expiration, absl::Time now, push::v1::SendRequest* request);

// Reasons: PayloadEmpty, PayloadTooLarge, and BadPayload for what is not a JSON object. nullopt:
// none.
std::optional<Reason> CheckPayload(absl::string_view body);

}  // namespace bellwire::gateway::apns

#endif  // BELLWIRE_GATEWAY_DOORS_APNS_APNS_HEADERS_H_
