#include "gateway/auth/bearer_token.h"

#include "absl/strings/match.h"
#include "common/error.h"

namespace bellwire::gateway {

absl::StatusOr<absl::string_view> BearerToken(const http::HeaderList& metadata) {
  constexpr absl::string_view kScheme = "Bearer ";
  const std::string* found = nullptr;
  for (const http::Header& header : metadata) {
    if (header.name != "authorization") continue;
    if (found != nullptr) {
      return MakeError(absl::StatusCode::kUnauthenticated, "BAD_CREDENTIAL",
                       "The call has more than one `authorization`.");
    }
    found = &header.value;
  }
  if (found == nullptr) {
    return MakeError(absl::StatusCode::kUnauthenticated, "MISSING_CREDENTIAL",
                     "The call has no metadata `authorization: Bearer CREDENTIAL`.");
  }
  absl::string_view value = *found;
  if (!absl::StartsWithIgnoreCase(value, kScheme)) {
    return MakeError(absl::StatusCode::kUnauthenticated, "BAD_CREDENTIAL",
                     "The metadata `authorization` is not of the form `Bearer CREDENTIAL`.");
  }
  value.remove_prefix(kScheme.size());
  return value;
}

}  // namespace bellwire::gateway
