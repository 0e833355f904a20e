#ifndef BELLWIRE_REGISTRY_TOPICS_SUBSCRIBER_PAGE_H_
#define BELLWIRE_REGISTRY_TOPICS_SUBSCRIBER_PAGE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "registry/engine/kv_engine.h"
#include "registry/keys/keys.h"
#include "registry/server/store.h"

namespace bellwire::registry {

// Subscribers in one page, whatever is asked for: about a millisecond of the writer, 32 KiB.
inline constexpr size_t kMaxPageSubscribers = 1000;
// Entries of one topic that one page looks at: of a topic that others than the wanted app subscribe
// to.
inline constexpr size_t kMaxSubscribersLookedAt = 16 * kMaxPageSubscribers;

// Store::PageSubscribers: a merge of the topics' sorted ranges. Memory: `max` and one entries of
// each topic. Errors: those of KvReader.
absl::StatusOr<SubscriberPage> PageSubscribers(const KvReader& reader, absl::string_view team_id,
                                               const std::vector<std::string>& topics,
                                               const std::optional<SubscriberEntry>& after,
                                               size_t max, absl::string_view app_id);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TOPICS_SUBSCRIBER_PAGE_H_
