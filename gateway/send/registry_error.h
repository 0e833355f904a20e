#ifndef BELLWIRE_GATEWAY_SEND_REGISTRY_ERROR_H_
#define BELLWIRE_GATEWAY_SEND_REGISTRY_ERROR_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// Errors that providers see and the registry or the load makes. Pure functions.
namespace bellwire::gateway {

// What a provider is told when the registry answers `status`: reasons that push.proto and
// admin.proto name pass; what is wrong with the registry itself becomes UNAVAILABLE
// REGISTRY_UNAVAILABLE or RESOURCE_EXHAUSTED OVERLOADED. RESOURCE_EXHAUSTED and UNAVAILABLE always
// say when to come back. REQUIRES: !status.ok().
absl::Status FromRegistryError(absl::Status status);

// RESOURCE_EXHAUSTED OVERLOADED with RetryInfo: `what` has no room, nothing was done.
absl::Status Overloaded(absl::string_view what);

// RESOURCE_EXHAUSTED QUOTA_EXCEEDED with RetryInfo: the team holds as many of `what` as it may;
// nothing was done.
absl::Status QuotaExceeded(absl::string_view what);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_SEND_REGISTRY_ERROR_H_
