// What the model hears of apps and providers. The rest of it is in model_ends.cc.

#include "tests/simulation/model.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"

namespace bellwire::simulation {
namespace {

// An app is shown what expires while it lies before it.
constexpr absl::Duration kShowGrace = absl::Minutes(2);

absl::string_view PriorityName(push::v1::Priority priority) {
  return absl::string_view(push::v1::Priority_Name(priority)).substr(strlen("PRIORITY_"));
}

const char* SendEvent(const Model::Message& message) {
  if (message.now_or_never) return "send now or never";
  switch (message.priority) {
    case push::v1::PRIORITY_HIGH:
      return "send HIGH";
    case push::v1::PRIORITY_LOW:
      return "send LOW";
    default:
      return "send";
  }
}

}  // namespace

std::string AppIdOf(int app) { return absl::StrCat("com.example.app", app); }

std::string TeamOf(int app) { return app % 2 == 0 ? "evenevenev" : "oddoddoddo"; }

admin::v1::OverflowPolicy PolicyOf(int app) {
  switch (app % 3) {
    case 0:
      return admin::v1::DROP_OLDEST;
    case 1:
      return admin::v1::REFUSE_NEWEST;
    default:
      return admin::v1::DROP_ALL;
  }
}

void Model::Violate(int device, std::string what, uint64_t message) {
  if (violation_.has_value()) return;
  trace_->Add(device, "VIOLATION");
  violation_ = Violation{std::move(what), device, message};
}

void Model::Violate(const Message& message, absl::string_view what) {
  Violate(
      message.to.device,
      absl::StrCat("message ", message.number, ", ", PriorityName(message.priority), ", ", what),
      message.number);
}

// --- Apps. ---

void Model::OnToken(const AppName& app, const std::string& token) {
  const auto [it, is_new] = tokens_.try_emplace(token, Token{.app = app});
  if (it->second.app != app) {
    return Violate(app.device, "two apps have the same token");
  }
  if (it->second.unregistered) {
    return Violate(app.device, "an unregistered token came back to life");
  }
  App& state = apps_[app];
  if (!state.token.empty() && state.token != token) {
    return Violate(app.device, "an app has another token and never unregistered");
  }
  state.token = token;
  state.dead = false;
  if (is_new) trace_->Add(app.device, "token", static_cast<uint64_t>(app.app));
}

void Model::OnUnregister(const AppName& app) {
  App& state = apps_[app];
  trace_->Add(app.device, "unregister", static_cast<uint64_t>(app.app));
  if (state.token.empty()) return;
  tokens_.at(state.token).unregistered = true;
  state.token.clear();
  state.gap = 0;
}

void Model::OnUnregistered(const AppName& app) {
  apps_[app].dead = true;
  apps_[app].gap = 0;
}

void Model::OnWake(int device) {
  phones_[device].woke = clock_->WallNow();
  rules_.OnBack(device);
}

void Model::OnActivity(int device, bool in_use) {
  trace_->Add(device, in_use ? "is used" : "is idle");
  ++counts_.activity_changes;
  rules_.OnActivity(device, in_use);
}

std::optional<std::string> Model::TokenOf(const AppName& app) const {
  const auto it = apps_.find(app);
  if (it == apps_.end() || it->second.token.empty()) return std::nullopt;
  return it->second.token;
}

const std::vector<std::string>& Model::DeadTokensOf(const AppName& app) {
  return apps_[app].dead_tokens;
}

void Model::OnGap(const AppName& app, uint32_t dropped) {
  trace_->Add(app.device, "gap", dropped, static_cast<uint64_t>(app.app));
  ++counts_.gaps;
  if (dropped == 0) Violate(app.device, "a gap of nothing");
  apps_[app].gap += dropped;
}

void Model::OnShown(const AppName& app, absl::string_view payload) {
  uint64_t number = 0;
  if (!absl::SimpleAtoi(payload.substr(0, payload.find(' ')), &number)) {
    return Violate(app.device, "an app was shown what nobody may have sent");
  }
  trace_->AddOf(app.device, "shown", number, static_cast<uint64_t>(app.app));
  ++counts_.shown;
  const auto it = messages_.find(number);
  if (it == messages_.end()) return Violate(app.device, "a payload that nobody sent");
  CheckShown(app, it->second);
}

void Model::CheckShown(const AppName& app, Message& message) {
  const auto wrong = [&](absl::string_view what) { Violate(message, what); };
  if (message.to != app) {
    return wrong(absl::StrCat("for device ", message.to.device, " app ", message.to.app,
                              " was shown to app ", app.app));
  }
  if (++message.shown > 1) return wrong("was shown twice");
  message.shown_at = clock_->WallNow();
  App& state = apps_[app];
  if (state.dead || (!state.token.empty() && state.token != message.token)) {
    return wrong("was shown after its app unregistered");
  }
  if (message.gone) return wrong("was shown after it was said to be recalled");
  const absl::Time now = clock_->WallNow();
  if (now + max_skew_ < message.deliver_at) return wrong("was shown before its deliver_at");
  // When exactly it was accepted, and so begins to expire, is known only once it was answered.
  const absl::Time begins = std::max(message.answered_at, message.deliver_at);
  const bool just_woke = now < phones_[app.device].woke + kShowGrace;
  const absl::Duration ttl = message.now_or_never ? 2 * kNowOrNeverWait : message.ttl;
  if (message.answered != 0 && !just_woke && now > begins + ttl + 2 * max_skew_ + kShowGrace) {
    return wrong("was shown after its ttl");
  }

  CheckTimeShown(message);
  if (message.now_or_never || message.deliver_at != absl::InfinitePast()) return;
  const auto is_late = [&message](uint64_t latest) {
    // Whoever sent the later one had been told that this one was accepted.
    return message.answered != 0 && latest > message.answered;
  };
  uint64_t& latest = state.shown_sent[message.priority];
  if (is_late(latest)) return wrong("was shown out of order");
  latest = std::max(latest, message.sent);
  if (message.collapse_key.empty()) return;
  uint64_t& of_key = state.shown_of_key[message.collapse_key];
  if (is_late(of_key)) return wrong("was shown after a newer one with its collapse key");
  of_key = std::max(of_key, message.sent);
}

PriorityRules::Message Model::TimesOf(const Message& message) const {
  PriorityRules::Message times{.device = message.to.device, .priority = message.priority};
  if (message.answered != 0) {
    times.ready = std::max(message.answered_at, message.deliver_at + skew_now_);
  }
  return times;
}

void Model::CheckTimeShown(const Message& message) {
  const int device = message.to.device;
  const absl::Time now = clock_->WallNow();
  if (message.now_or_never || message.priority == push::v1::PRIORITY_HIGH) rules_.OnRadio(device);
  if (message.now_or_never) return;
  const auto wrong = [&](absl::string_view what, absl::string_view why) {
    Violate(message, absl::StrCat(what, why));
  };
  const PriorityRules::Message times = TimesOf(message);
  if (const std::string why = rules_.WhyTooEarly(times); !why.empty()) {
    return wrong("was shown too early: ", why);
  }
  if (message.recalled) {
    if (now > rules_.ReachedBy(device, message.recall_heard_at) &&
        rules_.WasUndisturbed(device, message.recall_heard_at)) {
      wrong("was shown long after its recall was answered", "");
    }
    return;
  }
  if (const std::string why = rules_.WhyLate(times); !why.empty()) {
    return wrong("was shown late: ", why);
  }
  if (message.answered == 0) return;
  if (now > times.ready + absl::Minutes(1)) ++counts_.waited;
  if (rules_.WasUndisturbed(device, times.ready)) ++counts_.timed;
}

// --- Providers. ---

uint64_t Model::OnSend(Message message) {
  message.number = next_number_++;
  message.sent = ++event_;
  ++counts_.sent;
  trace_->AddOf(message.to.device, SendEvent(message), message.number,
                static_cast<uint64_t>(message.to.app));
  const bool at_once = message.now_or_never || message.priority == push::v1::PRIORITY_HIGH;
  if (message.deliver_at > clock_->WallNow()) {
    rules_.OnSchedule(message.to.device, message.deliver_at, at_once);
  } else {
    rules_.OnSend(message.to.device);
    if (at_once) rules_.OnRadio(message.to.device);
  }
  Token& token = tokens_.at(message.token);
  ++token.sent;
  ++token.open;
  if (!message.collapse_key.empty()) ++token.sent_of_key[message.collapse_key];
  const uint64_t number = message.number;
  numbers_.emplace(message.id, number);
  messages_.emplace(number, std::move(message));
  open_.insert(number);
  return number;
}

void Model::OnAccepted(uint64_t number, push::v1::SendResponse::Outcome outcome) {
  ++counts_.accepted;
  Message& message = messages_.at(number);
  message.answered = ++event_;
  message.answered_at = clock_->WallNow();
  message.outcome = outcome;
  trace_->AddOf(message.to.device, "answered OK", number, static_cast<uint64_t>(outcome));
  const bool fits = message.now_or_never ? outcome == push::v1::SendResponse::DELIVERED ||
                                               outcome == push::v1::SendResponse::NOT_CONNECTED
                                         : outcome == push::v1::SendResponse::ACCEPTED ||
                                               outcome == push::v1::SendResponse::DELIVERED;
  if (!fits) Violate(message, "was answered a wrong OK");
}

void Model::OnRepeat(uint64_t number) {
  Message& message = messages_.at(number);
  message.repeated = true;
  ++tokens_.at(message.token).unanswered;
}

void Model::OnGivenUp(uint64_t number) {
  ++counts_.unanswered;
  ++tokens_.at(messages_.at(number).token).unanswered;
  trace_->AddOf(messages_.at(number).to.device, "given up", number);
}

void Model::OnRefused(uint64_t number, const absl::Status& why) {
  ++counts_.refused;
  const Message& message = messages_.at(number);
  Token& token = tokens_.at(message.token);
  trace_->AddOf(message.to.device, "refused", number);
  const std::string reason(ErrorReason(why));
  if (reason == "UNREGISTERED") {
    if (!token.unregistered) {
      Violate(message, "was refused: UNREGISTERED");
    }
  } else if (reason == "MAILBOX_FULL") {
    ++token.refused_full;
    if (PolicyOf(token.app.app) != admin::v1::REFUSE_NEWEST ||
        token.open <= kMaxMailboxMessagesPerApp) {
      Violate(message, "was refused: MAILBOX_FULL");
    }
  } else {
    Violate(message, absl::StrCat("was refused: ", why.ToString()));
  }
  Close(number);
}

void Model::OnRecall(uint64_t number) {
  ++counts_.recalls;
  Message& message = messages_.at(number);
  message.recalled = true;
  trace_->AddOf(message.to.device, "recall", number);
}

void Model::OnRecallAnswered(uint64_t number, push::v1::RecallResponse::Outcome outcome) {
  Message& message = messages_.at(number);
  trace_->AddOf(message.to.device, "recall answered", number, static_cast<uint64_t>(outcome));
  if (outcome == push::v1::RecallResponse::RECALLED) return OnGone(message);
  message.recall_heard_at = std::min(message.recall_heard_at, clock_->WallNow());
  message.over = message.over || outcome == push::v1::RecallResponse::TOO_LATE;
}

void Model::OnGone(Message& message) {
  message.gone = true;
  if (message.shown == 0) return;
  Violate(message, "was shown, and is said to be recalled");
}

void Model::OnIntrusion(int device, absl::string_view what, const absl::Status& answer,
                        const std::set<std::string>& allowed) {
  ++counts_.intrusions;
  trace_->Add(device, "intrusion", static_cast<uint64_t>(answer.code()));
  const std::string reason(ErrorReason(answer));
  const bool unserved = absl::IsUnavailable(answer) || absl::IsResourceExhausted(answer) ||
                        absl::IsDeadlineExceeded(answer);
  if (!answer.ok() && (allowed.contains(reason) || unserved)) return;
  Violate(device, absl::StrCat(what, " was answered ", answer.ToString()));
}

void Model::OnClockSet(absl::Duration skew) {
  max_skew_ = std::max(max_skew_, absl::AbsDuration(skew));
  skew_now_ = std::max(skew_now_, absl::AbsDuration(skew));
  rules_.OnSkew(absl::AbsDuration(skew));
}

void Model::Close(uint64_t number) {
  if (open_.erase(number) > 0) --tokens_.at(messages_.at(number).token).open;
}

}  // namespace bellwire::simulation
