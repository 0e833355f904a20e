#include "tests/simulation/model.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"

namespace bellwire::simulation {
namespace {

using push::v1::Step;

bool IsEnd(Step step) {
  return step == push::v1::APP_ACKED || step == push::v1::EXPIRED || step == push::v1::COLLAPSED ||
         step == push::v1::OVERFLOWED || step == push::v1::RECALLED ||
         step == push::v1::UNREGISTERED || step == push::v1::NOT_CONNECTED;
}

}  // namespace

void Model::Violate(int device, std::string what) {
  if (violation_.has_value()) return;
  trace_->Add(device, "VIOLATION");
  violation_ = Violation{std::move(what), device};
}

void Model::OnToken(const AppName& app, const std::string& token) {
  const auto [it, is_new] = tokens_.emplace(token, app);
  if (it->second != app) {
    return Violate(app.device, "two apps have the same token");
  }
  App& state = apps_[app];
  if (unregistered_tokens_.contains(token)) {
    return Violate(app.device, "an unregistered token came back to life");
  }
  state.token = token;
  state.dead = false;
  if (is_new) trace_->Add(app.device, "token", static_cast<uint64_t>(app.app));
}

void Model::OnUnregister(const AppName& app) {
  App& state = apps_[app];
  if (!state.token.empty()) unregistered_tokens_.insert(state.token);
  state.token.clear();
  trace_->Add(app.device, "unregister", static_cast<uint64_t>(app.app));
}

void Model::OnUnregistered(const AppName& app) { apps_[app].dead = true; }

std::optional<std::string> Model::TokenOf(const AppName& app) const {
  const auto it = apps_.find(app);
  if (it == apps_.end() || it->second.token.empty()) return std::nullopt;
  return it->second.token;
}

uint64_t Model::OnSend(Message message) {
  message.number = next_number_++;
  message.sent = ++event_;
  ++counts_.sent;
  trace_->Add(message.to.device, message.now_or_never ? "send now or never" : "send",
              message.number, static_cast<uint64_t>(message.to.app));
  const uint64_t number = message.number;
  messages_.emplace(number, std::move(message));
  open_.insert(number);
  return number;
}

void Model::OnAccepted(uint64_t number, push::v1::SendResponse::Outcome outcome) {
  ++counts_.accepted;
  Message& message = messages_.at(number);
  message.answered = ++event_;
  trace_->Add(message.to.device, "answered OK", number, static_cast<uint64_t>(outcome));
}

void Model::OnGivenUp(uint64_t number) {
  ++counts_.unanswered;
  trace_->Add(messages_.at(number).to.device, "given up", number);
}

void Model::OnRefused(uint64_t number, absl::string_view reason) {
  ++counts_.refused;
  const Message& message = messages_.at(number);
  trace_->Add(message.to.device, "refused", number);
  open_.erase(number);
  if (reason == "UNREGISTERED" ? !unregistered_tokens_.contains(message.token)
                               : reason != "MAILBOX_FULL") {
    Violate(message.to.device, absl::StrCat("message ", number, " was refused: ", reason));
  }
}

void Model::OnShown(const AppName& app, absl::string_view payload) {
  uint64_t number = 0;
  if (!absl::SimpleAtoi(payload.substr(0, payload.find(' ')), &number)) {
    return Violate(app.device, "a payload that nobody sent");
  }
  trace_->Add(app.device, "shown", number, static_cast<uint64_t>(app.app));
  ++counts_.shown;
  const auto it = messages_.find(number);
  if (it == messages_.end()) return Violate(app.device, "a payload that nobody sent");
  Message& message = it->second;
  if (message.to != app) {
    return Violate(app.device,
                   absl::StrCat("message ", number, " for device ", message.to.device, " app ",
                                message.to.app, " was shown to app ", app.app));
  }
  if (++message.shown > 1) {
    return Violate(app.device, absl::StrCat("message ", number, " was shown twice"));
  }
  App& state = apps_[app];
  if (state.dead || (!state.token.empty() && state.token != message.token)) {
    return Violate(app.device,
                   absl::StrCat("message ", number, " was shown after its app unregistered"));
  }
  if (message.now_or_never || message.deliver_at != absl::InfinitePast()) return;
  uint64_t& latest = state.shown_sent[message.priority];
  // Whoever sent the later one had been told that this one was accepted.
  if (message.answered != 0 && latest > message.answered) {
    return Violate(app.device, absl::StrCat("message ", number, " was shown out of order"));
  }
  latest = std::max(latest, message.sent);
}

void Model::OnLooked(uint64_t number, const absl::StatusOr<push::v1::GetMessageResponse>& found,
                     absl::Time now, absl::Duration skew) {
  const Message& message = messages_.at(number);
  const int device = message.to.device;
  if (!found.ok()) {
    if (message.answered != 0 && ErrorReason(found.status()) == "MESSAGE_NOT_FOUND") {
      Violate(device, absl::StrCat("message ", number,
                                   " was answered OK and the registry does not"
                                   " know it"));
    }
    return;
  }
  int ends = 0;
  for (const push::v1::Receipt& receipt : found->receipts()) ends += IsEnd(receipt.step()) ? 1 : 0;
  const Step step = found->state();
  if (ends == 0 && !found->terminal()) return;
  if (ends != 1 || !found->terminal() || !IsEnd(step)) {
    Violate(device, absl::StrCat("message ", number, " has ", ends, " terminal receipts"));
    return;
  }
  absl::string_view wrong;
  switch (step) {
    case push::v1::APP_ACKED:
      if (message.shown != 1) wrong = "APP_ACKED, and no app was shown it";
      break;
    case push::v1::EXPIRED:
      if (now + skew < message.expires_no_earlier_than) wrong = "EXPIRED before its time";
      break;
    case push::v1::COLLAPSED:
      if (message.collapse_key.empty()) wrong = "COLLAPSED without a key";
      break;
    case push::v1::RECALLED:
      if (!message.recalled) wrong = "RECALLED, and nobody did";
      break;
    case push::v1::UNREGISTERED:
      if (!unregistered_tokens_.contains(message.token)) wrong = "UNREGISTERED, and its app is not";
      break;
    case push::v1::NOT_CONNECTED:
      if (!message.now_or_never) wrong = "NOT_CONNECTED, and it could wait";
      break;
    default:
      // OVERFLOWED: nobody here sends so much.
      wrong = "an end that nothing led to";
  }
  if (!wrong.empty()) {
    Violate(device, absl::StrCat("message ", number, " is ", wrong, " (", Step_Name(step), ")"));
  }
  ++counts_.ended[step];
  trace_->Add(device, "ended", number, static_cast<uint64_t>(step));
  open_.erase(number);
}

void Model::OnEnd(uint64_t number, const absl::StatusOr<push::v1::GetMessageResponse>& found) {
  const Message& message = messages_.at(number);
  if (!found.ok()) {
    if (message.answered == 0) return;
    return Violate(message.to.device,
                   absl::StrCat("message ", number, " is lost: ", found.status().ToString()));
  }
  std::string steps;
  for (const push::v1::Receipt& receipt : found->receipts()) {
    absl::StrAppend(&steps, " ", Step_Name(receipt.step()), "@", receipt.time().seconds(), " ",
                    receipt.detail());
  }
  Violate(message.to.device, absl::StrCat("message ", number, " never ended, shown ", message.shown,
                                          " times:", steps));
}

}  // namespace bellwire::simulation
