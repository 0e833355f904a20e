#include "gateway/doors/http/route.h"

#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "gateway/doors/http/query.h"

namespace bellwire::http {
namespace {

bool IsPlaceholder(absl::string_view segment) {
  return absl::StartsWith(segment, "{") && absl::EndsWith(segment, "}");
}

bool FitsMethod(absl::string_view wanted, absl::string_view method) {
  return method == wanted || (wanted == "GET" && method == "HEAD");
}

bool FitsSegment(absl::string_view wanted, absl::string_view segment) {
  if (segment == wanted) return true;
  if (!absl::StrContains(segment, '%')) return false;
  const std::optional<std::string> decoded = PercentDecode(segment);
  return decoded.has_value() && *decoded == wanted;
}

// Both without the segments that fitted already.
bool FitsPath(absl::string_view wanted, absl::string_view path) {
  while (true) {
    const size_t wanted_end = wanted.find('/');
    const bool last = wanted_end == absl::string_view::npos;
    if (last && IsPlaceholder(wanted)) return true;
    const size_t end = path.find('/');
    if (last != (end == absl::string_view::npos)) return false;
    const absl::string_view segment = wanted.substr(0, wanted_end);
    if (!IsPlaceholder(segment) && !FitsSegment(segment, path.substr(0, end))) return false;
    if (last) return true;
    wanted.remove_prefix(wanted_end + 1);
    path.remove_prefix(end + 1);
  }
}

}  // namespace

const Route* FindRoute(absl::Span<const Route> routes, const RequestHead& head) {
  const absl::string_view path = PathOf(head.path);
  for (const Route& route : routes) {
    if (FitsMethod(route.method, head.method) && FitsPath(route.path, path)) return &route;
  }
  return nullptr;
}

}  // namespace bellwire::http
