#include "gateway/story/message_story.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "common/time_text.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/time_util.h"

namespace bellwire {
namespace {

using push::v1::GetMessageResponse;
using push::v1::Step;

absl::Time TimeOf(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixNanos(
      google::protobuf::util::TimeUtil::TimestampToNanoseconds(timestamp));
}

// A step, as far as it alone says where it happened.
struct StepWords {
  const char* place;
  const char* what;
};

StepWords WordsOf(Step step, bool is_on_phone) {
  const char* const place = is_on_phone ? "phone" : "server";
  switch (step) {
    case push::v1::ACCEPTED:
      return {"server", "taken from its sender"};
    case push::v1::STORED:
      return {"server", "on disk: it can't get lost"};
    case push::v1::SENT:
      return {"server", "written to the connection"};
    case push::v1::AGENT_ACKED:
      return {"phone", "on the phone's disk"};
    case push::v1::APP_ACKED:
      return {"app", "the app has it"};
    case push::v1::EXPIRED:
      return {place, "its time was over"};
    case push::v1::COLLAPSED:
      return {place, "a newer one took its place"};
    case push::v1::OVERFLOWED:
      return {place, "too many waited for the app"};
    case push::v1::RECALLED:
      return {place, "its sender took it back"};
    case push::v1::UNREGISTERED:
      return {place, "the app was removed"};
    case push::v1::NOT_CONNECTED:
      return {"server", "the phone was not there"};
    default:
      return {"server", "a step unknown to this program"};
  }
}

// "14:05", or with the date if it is another day.
std::string RenderMoment(absl::Time time, absl::Time now, absl::TimeZone zone) {
  const bool is_today = absl::ToCivilDay(time, zone) == absl::ToCivilDay(now, zone);
  return absl::FormatTime(is_today ? "%H:%M" : "%Y-%m-%d %H:%M", time, zone);
}

class Teller {
 public:
  Teller(const GetMessageResponse& message, absl::Time now, absl::TimeZone zone)
      : message_(message), now_(now), zone_(zone) {}

  Story Tell() {
    story_.ended = message_.terminal();
    story_.arrived = message_.state() == push::v1::APP_ACKED;
    TellSteps();
    if (message_.terminal()) {
      TellEnd();
    } else {
      TellWait();
    }
    return std::move(story_);
  }

 private:
  void TellSteps() {
    bool is_sent = false;
    for (const push::v1::Receipt& receipt : message_.receipts()) {
      const StepWords words = WordsOf(receipt.step(), is_on_phone_);
      const bool again = receipt.step() == push::v1::SENT && is_sent;
      story_.steps.push_back({receipt.step(), TimeOf(receipt.time()), words.place,
                              again ? "written again: no word of it" : words.what,
                              receipt.detail()});
      is_sent = is_sent || receipt.step() == push::v1::SENT;
      is_on_phone_ = is_on_phone_ || receipt.step() == push::v1::AGENT_ACKED;
    }
  }

  void End(std::string headline, std::string to_do = "") {
    story_.headline = std::move(headline);
    story_.to_do = std::move(to_do);
  }

  void TellEnd() {
    switch (message_.state()) {
      case push::v1::APP_ACKED:
        return End("The app has it.");
      case push::v1::EXPIRED:
        return is_on_phone_
                   ? End("It reached the phone, but its time was over before the app took it.",
                         "let the app run more often, or be started for messages "
                         "(--start_app_hook of the agent); or send with a longer ttl")
                   : End("Its time was over before the phone could get it.",
                         "send with a longer ttl if it is still worth something later; `bellwire "
                         "doctor` on the phone says why it is away");
      case push::v1::COLLAPSED:
        return End(
            "A newer message with the same collapse key took its place.",
            "nothing, if the newer one says all; else send them with different collapse keys");
      case push::v1::OVERFLOWED:
        return End("Too many messages waited for the app, and this one was dropped.",
                   "have the app synchronise with its backend, which its gap notice asks for; send "
                   "less while it is away, or with collapse keys");
      case push::v1::RECALLED:
        return End("Its sender took it back before the app got it.");
      case push::v1::UNREGISTERED:
        return End(
            "The app was removed from the phone, and the token is dead.",
            "delete this token at the backend; the app tells a new one when it registers again");
      case push::v1::NOT_CONNECTED:
        return End("The phone was not there, and a message with ttl 0 does not wait.",
                   "send it with a ttl if it may come later");
      default:
        return End("It has ended in a way that this program is too old for.",
                   "install the version of the server");
    }
  }

  void Wait(std::string headline, std::string waits, std::string to_do = "") {
    End(std::move(headline), std::move(to_do));
    story_.waits = std::move(waits);
  }

  // " It expires 2026-12-28 14:05." if that is known; it is the end of the wait then.
  std::string OrItExpires() {
    if (!message_.has_expires_at()) return "";
    story_.at_latest = TimeOf(message_.expires_at());
    return absl::StrCat("; at the latest ", RenderMoment(*story_.at_latest, now_, zone_),
                        ", when it expires");
  }

  // It is on the phone, and does not wait for the app: the app gets it no more. Whether it did is
  // on the phone, which turns no radio on to say so.
  void TellWaitForThePhonesWord() {
    if (message_.has_expires_at() && TimeOf(message_.expires_at()) > now_) {
      Wait("It is on the phone, and its sender wants it back.",
           "for the phone to say whether the app had it already");
    } else {
      Wait("It is on the phone, and its time is over.",
           "for the phone to say how it ended, which it does when it is in touch anyway");
    }
  }

  void TellWait() {
    if (message_.state() == push::v1::AGENT_ACKED &&
        message_.waits_for() != GetMessageResponse::APP) {
      return TellWaitForThePhonesWord();
    }
    switch (message_.waits_for()) {
      case GetMessageResponse::DELIVER_AT:
        return TellDeliverAt();
      case GetMessageResponse::CONNECTION:
        return Wait(
            "It is on the server: the phone has no connection.",
            "for the phone to come back: it goes at once then" + OrItExpires(),
            "nothing, if the phone is off or without network; else `bellwire doctor` on the "
            "phone says why it does not connect");
      case GetMessageResponse::PRIORITY:
        return TellPriority();
      case GetMessageResponse::DEVICE:
        return TellOnItsWay();
      case GetMessageResponse::APP:
        return Wait("It is on the phone: the app has not taken it yet.",
                    "for the app to run" + OrItExpires(),
                    "start the app; `bellwire agent status` on the phone says whether it runs and "
                    "what waits for it");
      default:
        return Wait("It has not ended yet.", "for something that this program is too old for");
    }
  }

  void TellDeliverAt() {
    const std::string headline = "It is on the server until the time that its sender chose.";
    if (!message_.has_deliver_at()) return Wait(headline, "for its deliver_at" + OrItExpires());
    const absl::Time due = TimeOf(message_.deliver_at());
    Wait(headline, absl::StrCat("until ", RenderMoment(due, now_, zone_), ", its deliver_at"));
    story_.at_latest = due;
  }

  // From when on it could go.
  absl::Time Due() {
    absl::Time due = message_.receipts().empty() ? now_ : TimeOf(message_.receipts(0).time());
    if (message_.has_deliver_at()) due = std::max(due, TimeOf(message_.deliver_at()));
    return due;
  }

  void TellPriority() {
    const std::string urgent = "send with priority HIGH what can't wait";
    if (message_.priority() == push::v1::PRIORITY_LOW) {
      return Wait("It is on the server: nobody uses the phone, and the message is not urgent.",
                  "until somebody uses the phone" + OrItExpires(),
                  "send with priority NORMAL what should come within 15 minutes");
    }
    const absl::Time at_latest = Due() + kMaxNormalWait;
    if (message_.priority() == push::v1::PRIORITY_NORMAL) {
      if (now_ >= at_latest) {
        return Wait("It is on the server: the phone is asleep.",
                    "for the phone, which it is about to go to", urgent);
      }
      Wait("It is on the server: the phone is asleep.",
           absl::StrCat("for the phone's next heartbeat, at the latest at ",
                        RenderMoment(at_latest, now_, zone_)),
           urgent);
      story_.at_latest = at_latest;
      return;
    }
    // Of an older server: nobody knows which priority it has.
    Wait("It is on the server: the phone is asleep, or nobody uses it.",
         "for the phone's next heartbeat, or with priority LOW until somebody uses the phone" +
             OrItExpires(),
         urgent);
  }

  void TellOnItsWay() {
    const absl::Time since = story_.steps.empty() ? now_ : story_.steps.back().time;
    if (now_ - since < kHeartbeatAckTimeout) {
      return Wait("It is on its way to the phone.", "for the phone's word" + OrItExpires());
    }
    Wait("It was sent, and the phone has not said that it has it.",
         absl::StrCat("for the phone's word, for ", RenderDuration(now_ - since),
                      ": the connection is probably dead, and the message goes again with the "
                      "next one",
                      OrItExpires()),
         "`bellwire doctor` on the phone says whether it is connected");
  }

  const GetMessageResponse& message_;
  const absl::Time now_;
  const absl::TimeZone zone_;
  bool is_on_phone_ = false;
  Story story_;
};

}  // namespace

Story TellStory(const GetMessageResponse& message, absl::Time now, absl::TimeZone zone) {
  return Teller(message, now, zone).Tell();
}

nlohmann::ordered_json ToJson(const Story& story) {
  nlohmann::ordered_json json = {{"headline", story.headline},
                                 {"ended", story.ended},
                                 {"arrived", story.arrived},
                                 {"steps", nlohmann::ordered_json::array()}};
  for (const StoryStep& step : story.steps) {
    nlohmann::ordered_json entry = {{"step", push::v1::Step_Name(step.step)},
                                    {"time", RenderTimeForJson(step.time)},
                                    {"place", step.place},
                                    {"what", step.what}};
    if (!step.detail.empty()) entry["detail"] = step.detail;
    json["steps"].push_back(std::move(entry));
  }
  if (!story.waits.empty()) json["waits"] = story.waits;
  if (story.at_latest.has_value()) json["at_latest"] = RenderTimeForJson(*story.at_latest);
  if (!story.to_do.empty()) json["to_do"] = story.to_do;
  return json;
}

}  // namespace bellwire
