#include "gateway/doors/fcm/subscription.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "gateway/doors/http/query.h"
#include "gateway/doors/json/json_text.h"
#include "google/protobuf/util/time_util.h"

namespace bellwire::gateway::fcm {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr size_t kMaxPageSize = 2000;
constexpr JsonBounds kBatchBounds = {.depth = 8, .values = kMaxBatchMessages + 64};

// In either spelling; null: it isn't said.
const std::string* Find(const http::QueryParameters& query, absl::string_view snake,
                        absl::string_view camel) {
  const std::string* const found = http::FindParameter(query, snake);
  return found != nullptr ? found : http::FindParameter(query, camel);
}

}  // namespace

absl::StatusOr<TopicBatch> ReadTopicBatch(absl::string_view body) {
  BELLWIRE_ASSIGN_OR_RETURN(json value, ParseJsonValue(body, kBatchBounds));
  if (!value.is_object()) return InvalidField("BAD_VALUE", "", "The JSON is not an object.");
  const auto to = value.find("to");
  if (to == value.end() || !to->is_string()) {
    return InvalidField("BAD_VALUE", "to", "The JSON has no \"to\", such as \"/topics/news\".");
  }
  TopicBatch batch;
  const std::string name = to->get<std::string>();
  batch.topic = std::string(absl::StripPrefix(name, "/topics/"));
  const auto tokens = value.find("registration_tokens");
  if (tokens == value.end() || !tokens->is_array() || tokens->empty()) {
    return InvalidField("BAD_VALUE", "registration_tokens",
                        "The JSON has no list \"registration_tokens\".");
  }
  if (tokens->size() > kMaxBatchMessages) {
    return InvalidField("BATCH_TOO_LARGE", "registration_tokens",
                        absl::StrCat("There are more than ", kMaxBatchMessages, " tokens."));
  }
  for (const json& token : *tokens) {
    if (!token.is_string()) {
      return InvalidField("BAD_VALUE", "registration_tokens",
                          "A registration token is not a text.");
    }
    batch.tokens.push_back(token.get<std::string>());
  }
  return batch;
}

absl::StatusOr<SubscriptionQuery> ReadSubscriptionQuery(absl::string_view path) {
  const std::optional<http::QueryParameters> query = http::ParseQuery(http::QueryOf(path));
  if (!query.has_value())
    return InvalidField("BAD_VALUE", "", "The query has a % without two digits.");
  SubscriptionQuery read;
  if (const std::string* name = Find(*query, "topic_name", "topicName")) read.topic_name = *name;
  if (const std::string* token = Find(*query, "page_token", "pageToken")) read.page_token = *token;
  if (const std::string* allow = Find(*query, "allow_missing", "allowMissing")) {
    if (!absl::SimpleAtob(*allow, &read.allow_missing)) {
      return InvalidField("BAD_VALUE", "allow_missing", "allow_missing is true or false.");
    }
  }
  if (const std::string* size = Find(*query, "page_size", "pageSize")) {
    int64_t number = 0;
    if (!absl::SimpleAtoi(*size, &number) || number < 0) {
      return InvalidField("BAD_VALUE", "page_size", "page_size is a number, at most 2,000.");
    }
    if (number > 0) read.page_size = std::min<size_t>(static_cast<size_t>(number), kMaxPageSize);
  }
  return read;
}

ordered_json ToSubscriptionJson(const FcmPath& path,
                                const push::v1::TopicSubscription& subscription) {
  using google::protobuf::util::TimeUtil;
  return {{"name", absl::StrCat("projects/", path.project, "/registrations/", path.token,
                                "/topicSubscriptions/", subscription.topic())},
          {"topic_name", subscription.topic()},
          {"create_time", TimeUtil::ToString(subscription.create_time())}};
}

ordered_json ToSubscriptionsJson(const FcmPath& path, const SubscriptionQuery& query,
                                 const push::v1::ListSubscriptionsResponse& all) {
  ordered_json page = ordered_json::array();
  std::string last;
  for (const push::v1::TopicSubscription& subscription : all.subscriptions()) {
    // They come in the order of their names.
    if (!query.page_token.empty() && subscription.topic() <= query.page_token) continue;
    if (page.size() == query.page_size) {
      return {{"topic_subscriptions", std::move(page)}, {"next_page_token", last}};
    }
    page.push_back(ToSubscriptionJson(path, subscription));
    last = subscription.topic();
  }
  return {{"topic_subscriptions", std::move(page)}};
}

}  // namespace bellwire::gateway::fcm
