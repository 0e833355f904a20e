#include "gateway/auth/bearer_token.h"

#include "absl/strings/match.h"
#include "common/error.h"

namespace bellwire::gateway {

absl::StatusOr<absl::string_view> BearerToken(
    const std::multimap<grpc::string_ref, grpc::string_ref>& metadata) {
  constexpr absl::string_view kScheme = "Bearer ";
  const auto [begin, end] = metadata.equal_range("authorization");
  if (begin == end) {
    return MakeError(absl::StatusCode::kUnauthenticated, "MISSING_CREDENTIAL",
                     "The call has no metadata `authorization: Bearer CREDENTIAL`.");
  }
  if (std::next(begin) != end) {
    return MakeError(absl::StatusCode::kUnauthenticated, "BAD_CREDENTIAL",
                     "The call has more than one `authorization`.");
  }
  absl::string_view value(begin->second.data(), begin->second.size());
  if (!absl::StartsWithIgnoreCase(value, kScheme)) {
    return MakeError(absl::StatusCode::kUnauthenticated, "BAD_CREDENTIAL",
                     "The metadata `authorization` is not of the form `Bearer CREDENTIAL`.");
  }
  value.remove_prefix(kScheme.size());
  return value;
}

}  // namespace bellwire::gateway
