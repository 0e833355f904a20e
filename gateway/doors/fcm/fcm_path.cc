#include "gateway/doors/fcm/fcm_path.h"

#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gateway/doors/http/query.h"

namespace bellwire::gateway::fcm {

std::optional<FcmPath> ParseFcmPath(absl::string_view path) {
  using Resource = FcmPath::Resource;
  path = http::PathOf(path);
  if (!absl::ConsumePrefix(&path, "/")) return std::nullopt;
  std::vector<std::string> parts;
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    std::optional<std::string> decoded = http::PercentDecode(part);
    if (!decoded.has_value() || decoded->empty()) return std::nullopt;
    parts.push_back(*std::move(decoded));
  }
  if (parts.size() == 2 && parts[0] == "iid") {
    if (parts[1] == "v1:batchAdd") return FcmPath{.resource = Resource::kBatchAdd};
    if (parts[1] == "v1:batchRemove") return FcmPath{.resource = Resource::kBatchRemove};
    return std::nullopt;
  }
  if (parts.size() < 4 || parts[0] != "v1" || parts[1] != "projects") return std::nullopt;
  FcmPath read{.project = std::move(parts[2])};
  if (parts.size() == 4 && parts[3] == "messages:send") return read;
  if (parts.size() < 6 || parts.size() > 7 || parts[3] != "registrations" ||
      parts[5] != "topicSubscriptions") {
    return std::nullopt;
  }
  read.resource = parts.size() == 6 ? Resource::kSubscriptions : Resource::kSubscription;
  read.token = std::move(parts[4]);
  if (parts.size() == 7) read.topic = std::move(parts[6]);
  return read;
}

}  // namespace bellwire::gateway::fcm
