#include "tests/simulation/provider.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/ids.h"
#include "common/limits.h"
#include "tests/simulation/message_maker.h"

namespace bellwire::simulation {
namespace {

using push::v1::RecallResponse;
using push::v1::SendResponse;

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
    : loop_(loop),
      model_(model),
      options_(options),
      random_(options.seed, "provider"),
      plans_(loop),
      gateways_(backbone, kName, std::move(gateways), Random(options.seed, "provider's gateways")) {
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
  SendMany({device, static_cast<int>(random.Below(static_cast<uint64_t>(options_.apps)))}, burst);
  plans_.After(random.Until(absl::Hours(24) / options_.messages_per_day),
               [this, device] { SendNext(device); });
}

void Provider::SendMany(const AppName& to, int messages) {
  const std::optional<std::string> token = model_->TokenOf(to);
  if (!token.has_value()) return;
  for (int i = 0; i < messages; ++i) Send(to, *token);
}

void Provider::Send(const AppName& to, const std::string& token) {
  Random& random = device_random_[static_cast<size_t>(to.device)];
  MadeMessage made = MakeMessage(random, to, token, loop_->clock().WallNow());
  const bool can_wait = !made.message.now_or_never;
  const uint64_t number = model_->OnSend(std::move(made.message));
  made.request.set_payload(absl::StrCat(number, " ", std::string(random.Below(200), 'x')));
  Try(number, std::make_shared<const push::v1::SendRequest>(std::move(made.request)), 1);
  if (can_wait && random.Chance(0.06)) {
    const absl::Duration wait = random.Chance(0.5)
                                    ? random.Between(absl::ZeroDuration(), absl::Seconds(5))
                                    : random.Between(absl::Seconds(5), absl::Minutes(30));
    plans_.After(wait, [this, number] { Recall(number, 1); });
  }
}

void Provider::Try(uint64_t number, std::shared_ptr<const push::v1::SendRequest> request,
                   int attempt) {
  const std::string team = TeamOf(model_->message(number).to.app);
  gateways_.Call<SendResponse>(
      kAnswerTimeout,
      [request, team](GatewayProcess::Life* gateway, GatewayProcess*, auto done) {
        gateway->engine.Send(team, *request, std::move(done));
      },
      [this, number, request, attempt](absl::StatusOr<SendResponse> answer) {
        OnAnswer(number, request, attempt, std::move(answer));
      });
}

void Provider::OnAnswer(uint64_t number, std::shared_ptr<const push::v1::SendRequest> request,
                        int attempt, absl::StatusOr<SendResponse> answer) {
  if (answer.ok()) return model_->OnAccepted(number, answer->outcome());
  if (!IsWorthRetrying(answer.status())) return model_->OnRefused(number, answer.status());
  if (attempt == kMaxAttempts || StandsForGatewayMade(model_->message(number).id)) {
    return model_->OnGivenUp(number);
  }
  model_->OnRepeat(number);
  const absl::Duration wait = std::min(absl::Minutes(2), absl::Seconds(1) * (1 << attempt));
  plans_.After(random_.Between(absl::Milliseconds(500), wait),
               [this, number, request, attempt] { Try(number, request, attempt + 1); });
}

void Provider::Recall(uint64_t number, int attempt) {
  const Model::Message& message = model_->message(number);
  push::v1::RecallRequest request;
  request.set_token(message.token);
  request.set_message_id(FormatUuid(message.id));
  if (attempt == 1) model_->OnRecall(number);
  gateways_.Call<RecallResponse>(
      kAnswerTimeout,
      [request, team = TeamOf(message.to.app)](GatewayProcess::Life* gateway, GatewayProcess*,
                                               auto done) {
        gateway->calls.Recall(team, request, std::move(done));
      },
      [this, number, attempt](absl::StatusOr<RecallResponse> answer) {
        if (answer.ok()) return model_->OnRecallAnswered(number, answer->outcome());
        if (!IsWorthRetrying(answer.status()) || attempt == kMaxAttempts) return;
        plans_.After(random_.Between(absl::Milliseconds(500), absl::Seconds(20)),
                     [this, number, attempt] { Recall(number, attempt + 1); });
      });
}

}  // namespace bellwire::simulation
