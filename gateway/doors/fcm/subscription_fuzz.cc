// Whatever comes to the topic management as a body or a query, it is read or refused.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/limits.h"
#include "gateway/doors/fcm/fcm_path.h"
#include "gateway/doors/fcm/subscription.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace fcm = bellwire::gateway::fcm;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto batch = fcm::ReadTopicBatch(text);
  if (batch.ok()) {
    if (batch->tokens.empty() || batch->tokens.size() > bellwire::kMaxBatchMessages) std::abort();
  } else if (!absl::IsInvalidArgument(batch.status())) {
    std::abort();
  }
  const auto query = fcm::ReadSubscriptionQuery(absl::StrCat("/x?", text));
  if (query.ok()) {
    if (query->page_size < 1 || query->page_size > 2000) std::abort();
  } else if (!absl::IsInvalidArgument(query.status())) {
    std::abort();
  }
  const auto path = fcm::ParseFcmPath(text);
  if (path.has_value() && path->resource == fcm::FcmPath::Resource::kSubscription &&
      path->topic.empty()) {
    std::abort();
  }
  return 0;
}
