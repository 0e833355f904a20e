#include "registry/topics/subscriber_page.h"

#include <algorithm>
#include <cstdint>

#include "absl/container/btree_map.h"
#include "common/status_macros.h"

namespace bellwire::registry {

absl::StatusOr<SubscriberPage> PageSubscribers(const KvReader& reader, absl::string_view team_id,
                                               const std::vector<std::string>& topics,
                                               const std::optional<SubscriberEntry>& after,
                                               size_t max, absl::string_view app_id) {
  max = std::clamp<size_t>(max, 1, kMaxPageSubscribers);
  // One more than the page of each topic: the first `max` of all of them together are among these.
  absl::btree_map<SubscriberEntry, uint32_t> found;
  // Of the topics that were not read so far, how far the one came that is furthest behind.
  std::optional<SubscriberEntry> looked_to;
  for (size_t i = 0; i < topics.size(); ++i) {
    std::string from = SubscribersFrom(team_id, topics[i]);
    if (after.has_value()) {
      from = SubscriberKey(team_id, topics[i], after->device, after->registration_id) + '\0';
    }
    size_t wanted = 0;
    size_t looked_at = 0;
    BELLWIRE_RETURN_IF_ERROR(
        reader.Scan(Family::kTopics, from, SubscribersEnd(team_id, topics[i]),
                    [&](absl::string_view key, absl::string_view app) {
                      const SubscriberEntry entry = SubscriberOfKey(key);
                      if (app_id.empty() || app == app_id) {
                        found[entry] |= uint32_t{1} << i;
                        ++wanted;
                      }
                      if (++looked_at == kMaxSubscribersLookedAt && wanted <= max) {
                        looked_to = std::min(looked_to.value_or(entry), entry);
                      }
                      return wanted <= max && looked_at < kMaxSubscribersLookedAt;
                    }));
  }
  SubscriberPage page;
  for (const auto& [entry, bits] : found) {
    if (looked_to.has_value() && *looked_to < entry) break;
    if (page.subscribers.size() == max) {
      page.more = true;
      break;
    }
    page.subscribers.push_back({entry, bits});
  }
  if (looked_to.has_value() && !page.more) {
    page.more = true;
    if (page.subscribers.empty() || page.subscribers.back().entry < *looked_to) {
      page.subscribers.push_back({*looked_to, 0});
    }
  }
  return page;
}

}  // namespace bellwire::registry
