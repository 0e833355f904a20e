#include "tests/simulation/intruder.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "bellwire/push/v1/push.pb.h"

namespace bellwire::simulation {
namespace {

constexpr char kName[] = "intruder";
constexpr absl::Duration kAnswerTimeout = absl::Seconds(30);
// A registration that was forgotten says no more whose it was.
constexpr char kForeign[] = "TOKEN_NOT_FOR_TEAM";
constexpr char kDead[] = "UNREGISTERED";
constexpr char kForged[] = "BAD_DEVICE_TOKEN";
constexpr char kUnknown[] = "MESSAGE_NOT_FOUND";

std::string OtherTeam(int app) { return TeamOf(app + 1); }

}  // namespace

Intruder::Intruder(Backbone* backbone, Model* model, std::vector<GatewayProcess*> gateways,
                   int devices, int apps, uint64_t seed)
    : model_(model),
      devices_(devices),
      apps_(apps),
      random_(seed, kName),
      gateways_(backbone, kName, std::move(gateways), Random(seed, "intruder's gateways")) {}

AppName Intruder::AnyApp() {
  return {static_cast<int>(random_.Below(static_cast<uint64_t>(devices_))),
          static_cast<int>(random_.Below(static_cast<uint64_t>(apps_)))};
}

void Intruder::Try() {
  const AppName victim = AnyApp();
  const std::string team = TeamOf(victim.app);
  const std::string other_team = OtherTeam(victim.app);
  const int device = victim.device;
  const std::optional<std::string> token = model_->TokenOf(victim);
  if (!token.has_value() || model_->open().empty()) return;
  const bool validate_only = random_.Chance(0.2);
  switch (random_.Below(6)) {
    case 0:
      return Send(device, other_team, *token, validate_only, {kForeign});
    case 1: {
      // One digit is another one.
      std::string forged = *token;
      char& digit = forged[random_.Below(forged.size())];
      digit = digit == 'f' ? '0' : digit == '9' ? 'a' : static_cast<char>(digit + 1);
      return Send(device, team, forged, validate_only, {kForged});
    }
    case 2: {
      const std::vector<std::string>& dead = model_->DeadTokensOf(victim);
      if (dead.empty()) return;
      return Send(device, team, dead[random_.Below(dead.size())], validate_only, {kDead});
    }
    case 3: {
      // Half of one token and half of another.
      const std::optional<std::string> second = model_->TokenOf(AnyApp());
      if (!second.has_value() || *second == *token) return;
      return Send(device, team, token->substr(0, 50) + second->substr(50), validate_only,
                  {kForged});
    }
    default:
      break;
  }
  // A message that exists, by another team, or by another app of the same phone.
  const Model::Message& message = model_->message(*std::next(
      model_->open().begin(),
      static_cast<int64_t>(random_.Below(std::min<size_t>(model_->open().size(), 100)))));
  const int app = message.to.app;
  const bool recall = random_.Chance(0.5);
  const auto act = recall ? &Intruder::Recall : &Intruder::Ask;
  if (random_.Chance(0.5)) {
    (this->*act)(message.to.device, OtherTeam(app), message.token, message.id, {kForeign, kDead});
    return;
  }
  const AppName neighbour{message.to.device, (app + 2) % apps_};
  const std::optional<std::string> its = model_->TokenOf(neighbour);
  if (!its.has_value() || *its == message.token) return;
  (this->*act)(message.to.device, TeamOf(neighbour.app), *its, message.id, {kUnknown});
}

void Intruder::Send(int device, const std::string& team, const std::string& token,
                    bool validate_only, std::set<std::string> allowed) {
  push::v1::SendRequest request;
  request.set_token(token);
  request.set_payload("stolen");
  request.set_validate_only(validate_only);
  request.set_priority(push::v1::PRIORITY_HIGH);
  gateways_.Call<push::v1::SendResponse>(
      kAnswerTimeout,
      [team, request](GatewayProcess::Life* gateway, GatewayProcess*, auto done) {
        gateway->engine.Send(team, request, std::move(done));
      },
      [this, device, allowed = std::move(allowed)](absl::StatusOr<push::v1::SendResponse> answer) {
        model_->OnIntrusion(device, "a Send to a token that is not the sender's", answer.status(),
                            allowed);
      });
}

void Intruder::Ask(int device, const std::string& team, const std::string& token,
                   const MessageId& id, std::set<std::string> allowed) {
  push::v1::GetMessageRequest request;
  request.set_token(token);
  request.set_message_id(FormatUuid(id));
  gateways_.Call<push::v1::GetMessageResponse>(
      kAnswerTimeout,
      [team, request](GatewayProcess::Life* gateway, GatewayProcess*, auto done) {
        gateway->calls.GetMessage(team, request, std::move(done));
      },
      [this, device,
       allowed = std::move(allowed)](absl::StatusOr<push::v1::GetMessageResponse> answer) {
        model_->OnIntrusion(device, "a GetMessage of somebody else's message", answer.status(),
                            allowed);
      });
}

void Intruder::Recall(int device, const std::string& team, const std::string& token,
                      const MessageId& id, std::set<std::string> allowed) {
  push::v1::RecallRequest request;
  request.set_token(token);
  request.set_message_id(FormatUuid(id));
  gateways_.Call<push::v1::RecallResponse>(
      kAnswerTimeout,
      [team, request](GatewayProcess::Life* gateway, GatewayProcess*, auto done) {
        gateway->calls.Recall(team, request, std::move(done));
      },
      [this, device,
       allowed = std::move(allowed)](absl::StatusOr<push::v1::RecallResponse> answer) {
        model_->OnIntrusion(device, "a Recall of somebody else's message", answer.status(),
                            allowed);
      });
}

}  // namespace bellwire::simulation
