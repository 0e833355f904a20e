#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gateway/doors/apns/apns_channels.h"

// The first line is method and path, then a header "name: value" a line, an empty line, and the
// body.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bellwire::gateway::apns;  // NOLINT
  absl::string_view text(reinterpret_cast<const char*>(data), size);
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits("\n\n", 1));
  bellwire::http::RequestHead head;
  for (absl::string_view line : absl::StrSplit(parts.first, '\n')) {
    const bool first = head.method.empty();
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(line, absl::MaxSplits(first ? " " : ": ", 1));
    if (first) {
      head.method = std::string(field.first);
      head.path = std::string(field.second);
    } else {
      head.headers.push_back({std::string(field.first), std::string(field.second)});
    }
  }
  (void)ParseChannel(parts.second);
  if (!IsChannelPath(head.path)) return 0;
  const auto route = RouteOf(head);
  if (const auto* channel = std::get_if<ChannelRoute>(&route)) {
    if (!channel->channel_id.empty() &&
        ChannelOfTopic(channel->app_id, TopicOfChannel(channel->app_id, channel->channel_id)) !=
            channel->channel_id) {
      std::abort();
    }
    (void)TranslateBroadcast(head, std::string(parts.second), *channel, StoragePolicy::kNewest,
                             absl::FromUnixSeconds(1'767'225'600));
  }
  return 0;
}
