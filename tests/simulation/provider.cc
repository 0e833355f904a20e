#include "tests/simulation/provider.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"

namespace bellwire::simulation {
namespace {

constexpr char kName[] = "provider";
constexpr absl::Duration kAnswerTimeout = absl::Seconds(30);
constexpr int kMaxAttempts = 12;

bool IsWorthRetrying(const absl::Status& status) {
  // A full mailbox is the answer, not a mishap.
  if (ErrorReason(status) == "MAILBOX_FULL") return false;
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status) ||
         absl::IsDeadlineExceeded(status);
}

}  // namespace

Provider::Provider(net::EventLoop* loop, Backbone* backbone, Model* model,
                   std::vector<GatewayProcess*> gateways, Options options)
    : backbone_(backbone),
      loop_(loop),
      model_(model),
      gateways_(std::move(gateways)),
      options_(options),
      random_(options.seed, "provider"),
      plans_(loop),
      calls_(backbone) {
  for (int device = 0; device < options.devices; ++device) {
    device_random_.emplace_back(options.seed, "provider of", static_cast<uint64_t>(device));
  }
}

void Provider::Start() {
  sending_ = true;
  for (int device = 0; device < options_.devices; ++device) {
    const absl::Duration mean = absl::Hours(24) / options_.messages_per_day;
    plans_.After(device_random_[static_cast<size_t>(device)].Until(mean),
                 [this, device] { SendNext(device); });
  }
}

void Provider::SendNext(int device) {
  if (!sending_) return;
  Random& random = device_random_[static_cast<size_t>(device)];
  // Sometimes many at once: windows and pages fill.
  const int burst = random.Chance(0.02) ? 2 + static_cast<int>(random.Below(40)) : 1;
  const AppName to{device, static_cast<int>(random.Below(static_cast<uint64_t>(options_.apps)))};
  const auto token = model_->TokenOf(to);
  if (token.has_value()) {
    for (int i = 0; i < burst; ++i) Send(to, *token);
  }
  plans_.After(random.Until(absl::Hours(24) / options_.messages_per_day),
               [this, device] { SendNext(device); });
}

MessageId Provider::NewId() {
  std::array<uint8_t, MessageId::kSize> bytes;
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random_());
  return MessageId(bytes);
}

void Provider::Send(const AppName& to, const std::string& token) {
  Random& random = device_random_[static_cast<size_t>(to.device)];
  const absl::Time now = loop_->clock().WallNow();
  Model::Message message;
  message.to = to;
  message.token = token;
  message.id = NewId();
  message.sent_at = now;
  message.priority = random.Chance(0.5)   ? push::v1::PRIORITY_NORMAL
                     : random.Chance(0.7) ? push::v1::PRIORITY_HIGH
                                          : push::v1::PRIORITY_LOW;
  push::v1::SendRequest request;
  absl::Duration ttl = absl::Hours(28 * 24);
  if (random.Chance(0.05)) {
    message.now_or_never = true;
    ttl = absl::ZeroDuration();
  } else if (random.Chance(0.1)) {
    ttl = random.Between(absl::Seconds(1), absl::Hours(2));
  }
  request.mutable_ttl()->set_seconds(absl::ToInt64Seconds(ttl));
  if (!message.now_or_never && random.Chance(0.05)) {
    message.collapse_key = absl::StrCat("key", random.Below(2));
    request.set_collapse_key(message.collapse_key);
  }
  if (!message.now_or_never && ttl > absl::Hours(24) && random.Chance(0.02)) {
    message.deliver_at = now + random.Between(absl::Seconds(10), absl::Hours(3));
    const int64_t at_ms = absl::ToUnixMillis(message.deliver_at);
    request.mutable_deliver_at()->set_seconds(at_ms / 1000);
    request.mutable_deliver_at()->set_nanos(static_cast<int32_t>(at_ms % 1000) * 1'000'000);
  }
  message.expires_no_earlier_than = now + absl::Seconds(absl::ToInt64Seconds(ttl));
  request.set_token(token);
  request.set_priority(message.priority);
  request.set_message_id(FormatUuid(message.id));
  const uint64_t number = model_->OnSend(std::move(message));
  request.set_payload(absl::StrCat(number, " ", std::string(random.Below(200), 'x')));
  Try(number, to.app, std::make_shared<const push::v1::SendRequest>(std::move(request)), 1);
}

void Provider::Try(uint64_t number, int app, std::shared_ptr<const push::v1::SendRequest> request,
                   int attempt) {
  using Answer = absl::StatusOr<push::v1::SendResponse>;
  GatewayProcess* const gateway = gateways_[random_.Below(gateways_.size())];
  Calls::Reply<Answer> reply = calls_.Begin<Answer>(
      [this, number, app, request, attempt](Answer answer) {
        OnAnswer(number, app, request, attempt, std::move(answer));
      },
      kAnswerTimeout, [] { return Answer(absl::DeadlineExceededError("no answer")); });
  const std::optional<absl::Duration> there = backbone_->Travel(kName, gateway->name());
  if (!there.has_value()) return;
  backbone_->scheduler().After(*there, [this, gateway, request, reply, app] {
    if (gateway->engine() == nullptr) return reply(absl::UnavailableError("down"));
    gateway->engine()->Send(TeamOf(app), *request, [this, gateway, reply](Answer answer) {
      const std::optional<absl::Duration> back = backbone_->Travel(gateway->name(), kName);
      if (!back.has_value()) return;
      backbone_->scheduler().After(*back, [reply, answer] { reply(answer); });
    });
  });
}

void Provider::OnAnswer(uint64_t number, int app,
                        std::shared_ptr<const push::v1::SendRequest> request, int attempt,
                        absl::StatusOr<push::v1::SendResponse> answer) {
  if (answer.ok()) return model_->OnAccepted(number, answer->outcome());
  if (!IsWorthRetrying(answer.status())) {
    return model_->OnRefused(number, ErrorReason(answer.status()));
  }
  if (attempt == kMaxAttempts) return model_->OnGivenUp(number);
  const absl::Duration wait = std::min(absl::Minutes(2), absl::Seconds(1) * (1 << attempt));
  plans_.After(random_.Between(absl::Milliseconds(500), wait),
               [this, number, app, request, attempt] { Try(number, app, request, attempt + 1); });
}

}  // namespace bellwire::simulation
