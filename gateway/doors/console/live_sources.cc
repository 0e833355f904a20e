#include "gateway/doors/console/live_sources.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "bellwire/push/v1/push.pb.h"
#include "gateway/doors/console/inner_call.h"
#include "gateway/doors/json/json_text.h"
#include "gateway/doors/json/message_json.h"
#include "gateway/story/message_story.h"
#include "ops/overview/flat_samples.h"

namespace bellwire::gateway {

void OverviewSource::Ask(Then then) {
  if (const absl::StatusOr<std::string> token = still_logged_in_(); !token.ok()) {
    return std::move(then)(token.status());
  }
  metrics::Snapshot now = {.time = clock_->Monotonic(),
                           .wall_time = clock_->WallNow(),
                           .samples = metrics::Flatten(metrics_->Get())};
  ++looks_;
  std::string data = DumpJson(
      metrics::ToJson(metrics::MakeOverview(before_.has_value() ? &*before_ : nullptr, now)));
  before_ = std::move(now);
  std::move(then)(Answer{.data = std::move(data)});
}

void FleetSource::Ask(Then then) {
  if (const absl::StatusOr<std::string> token = still_logged_in_(); !token.ok()) {
    return std::move(then)(token.status());
  }
  FleetWatch::Latest latest = fleet_->Get();
  if (latest.number == shown_) return std::move(then)(Answer{});
  shown_ = latest.number;
  std::move(then)(Answer{.data = std::move(latest.json)});
}

void MessageSource::Ask(Then then) {
  const absl::StatusOr<std::string> token = options_->still_logged_in();
  if (!token.ok()) return std::move(then)(token.status());
  auto fill = [options = options_](google::protobuf::Message* into) {
    static_cast<admin::v1::GetTeamMessageRequest*>(into)->CopyFrom(options->request);
    return absl::OkStatus();
  };
  auto on_answer = [options = options_, told = told_, then = std::move(then)](
                       const absl::Status& status,
                       const google::protobuf::Message* answer) mutable {
    if (!status.ok()) return std::move(then)(status);
    const auto& message = *static_cast<const push::v1::GetMessageResponse*>(answer);
    std::string bytes = message.SerializeAsString();
    const MonotonicTime now = options->clock->Monotonic();
    if (bytes == told->message && now - told->at < kStoryGetsOld) {
      return std::move(then)(Answer{});
    }
    told->message = std::move(bytes);
    told->at = now;
    const Story story = TellStory(message, options->clock->WallNow(), options->zone);
    std::move(then)(Answer{.data = absl::StrCat("{\"message\":", MessageToJson(message),
                                                ",\"story\":", DumpJson(ToJson(story)), "}"),
                           .last = message.terminal()});
  };
  options_->methods->Find("/bellwire.admin.v1.SupportService/GetMessage")
      ->start(std::make_shared<InnerCall>(*token, options_->peer, options_->thread, std::move(fill),
                                          std::move(on_answer)));
}

}  // namespace bellwire::gateway
