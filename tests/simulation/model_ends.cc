// How messages end, as the registry and the feeds of receipts say. The rest of Model is in
// model.cc.

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "tests/simulation/model.h"

namespace bellwire::simulation {
namespace {

using push::v1::Step;

bool IsEnd(Step step) {
  return step == push::v1::APP_ACKED || step == push::v1::EXPIRED || step == push::v1::COLLAPSED ||
         step == push::v1::OVERFLOWED || step == push::v1::RECALLED ||
         step == push::v1::UNREGISTERED || step == push::v1::NOT_CONNECTED;
}

std::string StepsOf(const push::v1::GetMessageResponse& found) {
  std::string steps;
  for (const push::v1::Receipt& receipt : found.receipts()) {
    absl::StrAppend(&steps, " ", Step_Name(receipt.step()), "@", receipt.time().seconds(), " ",
                    receipt.detail());
  }
  return steps;
}

}  // namespace

// Empty: this end fits what happened to the message.
std::string Model::WhyNot(const Message& message, Step end) const {
  const Token& token = tokens_.at(message.token);
  // Of a gateway, and of whoever found it expired.
  const absl::Duration skew = 2 * max_skew_;
  switch (end) {
    case push::v1::APP_ACKED:
      return message.shown == 1 ? "" : "no app was shown it";
    case push::v1::EXPIRED:
      return clock_->WallNow() + skew >= message.expires_no_earlier_than ? "" : "it is too early";
    case push::v1::COLLAPSED:
      return !message.collapse_key.empty() && token.sent_of_key.at(message.collapse_key) > 1
                 ? ""
                 : "there is no other one with its key";
    case push::v1::OVERFLOWED:
      if (PolicyOf(message.to.app) == admin::v1::REFUSE_NEWEST) return "its app wants to refuse";
      return token.sent > kMaxMailboxMessagesPerApp ? "" : "there were not so many";
    case push::v1::RECALLED:
      return message.recalled ? "" : "nobody took it back";
    case push::v1::UNREGISTERED:
      return token.unregistered ? "" : "its app is registered";
    case push::v1::NOT_CONNECTED:
      // The gateway of an earlier try may have settled it before the device had it from a later
      // one.
      if (message.outcome == push::v1::SendResponse::DELIVERED && !message.repeated) {
        return "its sender heard DELIVERED";
      }
      return message.now_or_never ? "" : "it could wait";
    default:
      return "that is no end";
  }
}

std::string Model::WhyNotOver(const Message& message) const {
  const int device = message.to.device;
  const absl::Time now = clock_->WallNow();
  if (message.over) return "its recall said so";
  // What of those is shown ends when its sender waits no more, or when its app is gone.
  if (message.now_or_never || tokens_.at(message.token).unregistered) return "";
  if (message.shown > 0) {
    return now > rules_.ReachedBy(device, message.shown_at) ? "its app has it" : "";
  }
  if (message.recalled) {
    const absl::Time heard = message.recall_heard_at;
    return rules_.WasUndisturbed(device, heard) && now > rules_.ReachedBy(device, heard)
               ? "its recall was answered long ago"
               : "";
  }
  // A phone that finds it expired says so with its next heartbeat.
  if (now + 2 * max_skew_ >= message.expires_no_earlier_than) return "";
  return rules_.WhyLate(TimesOf(message));
}

void Model::OnLooked(uint64_t number, const absl::StatusOr<push::v1::GetMessageResponse>& found) {
  Message& message = messages_.at(number);
  const int device = message.to.device;
  if (!found.ok()) {
    if (message.answered != 0 && ErrorReason(found.status()) == "MESSAGE_NOT_FOUND") {
      Violate(device, absl::StrCat("message ", number,
                                   " was answered OK and the registry does not know it"));
    }
    return;
  }
  int ends = 0;
  for (const push::v1::Receipt& receipt : found->receipts()) ends += IsEnd(receipt.step()) ? 1 : 0;
  const Step state = found->state();
  if (ends == 0 && !found->terminal()) {
    if (const std::string why = WhyNotOver(message); !why.empty()) {
      Violate(message, absl::StrCat("has not ended: ", why, ":", StepsOf(*found)));
    }
    if (message.outcome == push::v1::SendResponse::NOT_CONNECTED) {
      Violate(message, "was answered NOT_CONNECTED and goes on");
    }
    // What the device has does not count, nor what it is to give back.
    if (message.now_or_never || message.recalled || state == push::v1::AGENT_ACKED) return;
    if (++waiting_[message.token] > kMaxMailboxMessagesPerApp) {
      Violate(device,
              absl::StrCat("the mailbox of app ", message.to.app, " has too many messages"));
    }
    return;
  }
  std::string wrong;
  if (ends != 1 || !found->terminal() || !IsEnd(state)) {
    wrong = absl::StrCat(ends, " terminal receipts");
  } else {
    wrong = WhyNot(message, state);
  }
  if (!wrong.empty()) {
    Violate(message,
            absl::StrCat("ended ", Step_Name(state), ", and ", wrong, ":", StepsOf(*found)));
  }
  message.end = state;
  if (state == push::v1::RECALLED) OnGone(message);
  if (state == push::v1::OVERFLOWED) ++tokens_.at(message.token).overflowed;
  ++counts_.ended[state];
  trace_->AddOf(device, "ended", number, static_cast<uint64_t>(state));
  Close(number);
}

void Model::OnReceipt(const std::string& team, uint64_t position, const std::string& token,
                      const std::optional<MessageId>& id, Step step) {
  const auto known = tokens_.find(token);
  if (known == tokens_.end()) {
    return Violate(Trace::kEverybody, "a receipt of a token that no app ever had");
  }
  const AppName& app = known->second.app;
  if (TeamOf(app.app) != team) {
    return Violate(app.device, "a team was told a receipt of another one");
  }
  const auto number = id.has_value() ? numbers_.find(*id) : numbers_.end();
  if (id.has_value() && (number == numbers_.end() || message(number->second).token != token)) {
    return Violate(app.device, "a receipt of a message that nobody sent there");
  }

  Feed& feed = feeds_[team];
  uint64_t hash = std::hash<std::string>()(token) ^ static_cast<uint64_t>(step);
  if (id.has_value()) hash ^= number->second << 8;
  if (const auto said = feed.find(position); said != feed.end()) {
    ++counts_.repeated_receipts;
    if (said->second != hash) {
      Violate(app.device, absl::StrCat("the feed of ", team, " has changed at ", position));
    }
    return;
  }
  // Numbers go on by one, or anew with a start of the registry.
  if (!feed.empty() && position != feed.rbegin()->first + 1 && !starts_.contains(position - 1)) {
    return Violate(app.device, absl::StrCat("the feed of ", team, " has a hole before ", position));
  }
  feed[position] = hash;
  ++counts_.receipts;

  if (!id.has_value()) {
    trace_->Add(app.device, "dead token in feed", static_cast<uint64_t>(app.app));
    ++counts_.dead_tokens;
    if (step != push::v1::UNREGISTERED || !known->second.unregistered) {
      Violate(app.device, "the feed says that a token died, and it did not");
    }
    if (std::exchange(known->second.dead_in_feed, true)) {
      Violate(app.device, "the feed says twice that a token died");
    }
    apps_[app].dead_tokens.push_back(token);
    return;
  }
  trace_->AddOf(app.device, "in feed", number->second, static_cast<uint64_t>(step));
  if (step == push::v1::RECALLED) OnGone(messages_.at(number->second));
  std::vector<Step>& receipts = messages_.at(number->second).receipts;
  const Step before = receipts.empty() ? push::v1::STEP_UNSPECIFIED : receipts.back();
  receipts.push_back(step);
  const bool in_order = receipts.size() == 1   ? step == push::v1::ACCEPTED
                        : receipts.size() == 2 ? step == push::v1::STORED
                                               : step != push::v1::ACCEPTED &&
                                                     step != push::v1::STORED && !IsEnd(before);
  if (!in_order) {
    Violate(messages_.at(number->second),
            absl::StrCat("its feed says ", Step_Name(step), " after ", Step_Name(before)));
  }
}

void Model::OnEnd(uint64_t number, const absl::StatusOr<push::v1::GetMessageResponse>& found) {
  const Message& message = messages_.at(number);
  if (!found.ok()) {
    if (message.answered == 0 && message.receipts.empty()) return;
    return Violate(message, absl::StrCat("is lost: ", found.status().ToString()));
  }
  // Nobody heard of it, and nobody will ask: it ends when nobody can ask any more.
  if (message.answered == 0 && message.now_or_never) return;
  Violate(message, absl::StrCat("never ended, shown ", message.shown, " times:", StepsOf(*found)));
}

void Model::OnLookedAgain(uint64_t number,
                          const absl::StatusOr<push::v1::GetMessageResponse>& found) {
  const Message& message = messages_.at(number);
  // After a week nobody has to know.
  if (!found.ok()) return;
  int ends = 0;
  for (const push::v1::Receipt& receipt : found->receipts()) ends += IsEnd(receipt.step()) ? 1 : 0;
  if (ends == 1 && found->terminal() && found->state() == message.end) return;
  Violate(message,
          absl::StrCat("had ended ", Step_Name(message.end), ", and now:", StepsOf(*found)));
}

void Model::CheckEnd() {
  for (const auto& [number, message] : messages_) {
    if (message.end == push::v1::STEP_UNSPECIFIED) continue;
    // That there is one end and nothing after it was seen as they came.
    if (message.receipts.empty() || message.receipts.back() != message.end) {
      Violate(message,
              absl::StrCat("ended ", Step_Name(message.end), ", and its feed ",
                           "does not say so; it has ", message.receipts.size(), " receipts"));
    }
  }
  for (const auto& [name, token] : tokens_) {
    if (token.unregistered && !token.dead_in_feed) {
      Violate(token.app.device, absl::StrCat("app ", token.app.app, " unregistered, and the feed ",
                                             "does not say that its token died"));
    }
    const App& app = apps_.at(token.app);
    if (app.token != name) continue;
    if (app.gap < token.overflowed || (app.gap == 0 && token.refused_full > 0)) {
      Violate(token.app.device, absl::StrCat("app ", token.app.app, " was told of ", app.gap,
                                             " messages that were dropped, of ", token.overflowed,
                                             " and ", token.refused_full, " refused"));
    }
    // One that was refused is in a notice even if the answer was lost.
    const bool none_dropped =
        token.overflowed == 0 && token.refused_full == 0 && token.unanswered == 0;
    if (app.gap > 0 && none_dropped) {
      Violate(token.app.device,
              absl::StrCat("app ", token.app.app, " was told of a gap, and there ", "is none"));
    }
  }
}

}  // namespace bellwire::simulation
