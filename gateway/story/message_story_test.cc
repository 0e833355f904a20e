#include "gateway/story/message_story.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

using push::v1::GetMessageResponse;
using push::v1::Step;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const absl::Time kAccepted = absl::FromUnixSeconds(1'800'000'000);  // 2027-01-15 08:00 UTC.

// A message that took these steps, one a second.
GetMessageResponse Message(const std::vector<Step>& steps, GetMessageResponse::WaitsFor waits_for) {
  GetMessageResponse message;
  message.set_message_id("0b7e2f4a-5d8a-4c9e-9a0b-1c2d3e4f5a6b");
  message.set_app_id("com.example.mail");
  for (size_t i = 0; i < steps.size(); ++i) {
    push::v1::Receipt* const receipt = message.add_receipts();
    receipt->set_step(steps[i]);
    receipt->mutable_time()->set_seconds(absl::ToUnixSeconds(kAccepted) + static_cast<int64_t>(i));
  }
  message.set_state(steps.back());
  message.set_terminal(steps.back() >= push::v1::APP_ACKED);
  message.set_waits_for(waits_for);
  return message;
}

void SetExpiry(absl::Duration after, GetMessageResponse* message) {
  message->mutable_expires_at()->set_seconds(absl::ToUnixSeconds(kAccepted + after));
}

Story Tell(const GetMessageResponse& message, absl::Duration after = absl::Seconds(10)) {
  return TellStory(message, kAccepted + after, absl::UTCTimeZone());
}

// Every state in which GetMessage can show a message, and what a person is told of it.
struct Case {
  std::string name;
  std::vector<Step> steps;
  GetMessageResponse::WaitsFor waits_for = GetMessageResponse::WAITS_FOR_UNSPECIFIED;
  // Each is a part of it; empty: there is no such text.
  std::string headline;
  std::string waits;
  std::string to_do;
  // Of the last step.
  std::string place;
  // When it is asked about, and when it expires (never unless said).
  absl::Duration after = absl::Seconds(10);
  absl::Duration expiry = absl::ZeroDuration();
  push::v1::Priority priority = push::v1::PRIORITY_UNSPECIFIED;
  // After it was accepted; zero: none.
  absl::Duration deliver_at = absl::ZeroDuration();
};

class MessageStoryTest : public testing::TestWithParam<Case> {};

TEST_P(MessageStoryTest, TellsHowItStands) {
  const Case& c = GetParam();
  GetMessageResponse message = Message(c.steps, c.waits_for);
  if (c.expiry != absl::ZeroDuration()) SetExpiry(c.expiry, &message);
  message.set_priority(c.priority);
  if (c.deliver_at != absl::ZeroDuration()) {
    message.mutable_deliver_at()->set_seconds(absl::ToUnixSeconds(kAccepted + c.deliver_at));
  }
  const Story story = Tell(message, c.after);
  EXPECT_THAT(story.headline, HasSubstr(c.headline));
  EXPECT_EQ(story.ended, message.terminal());
  EXPECT_EQ(story.arrived, c.steps.back() == push::v1::APP_ACKED);
  // What has ended waits for nothing, and all else for something.
  EXPECT_EQ(story.waits.empty(), story.ended) << story.waits;
  EXPECT_THAT(story.waits, HasSubstr(c.waits));
  EXPECT_EQ(story.to_do.empty(), c.to_do.empty()) << story.to_do;
  EXPECT_THAT(story.to_do, HasSubstr(c.to_do));
  ASSERT_THAT(story.steps, SizeIs(c.steps.size()));
  EXPECT_EQ(story.steps.back().place, c.place);
  for (const StoryStep& step : story.steps) EXPECT_LE(step.what.size(), kStepColumns) << step.what;
  // Words of the inside are none for a newcomer.
  for (const std::string& text : {story.headline, story.waits}) {
    for (const char* word : {"mailbox", "session", "registry", "connector", "seq"}) {
      EXPECT_THAT(text, Not(HasSubstr(word)));
    }
  }
}

const std::vector<Step> kStored = {push::v1::ACCEPTED, push::v1::STORED};
const std::vector<Step> kSent = {push::v1::ACCEPTED, push::v1::STORED, push::v1::SENT};
const std::vector<Step> kOnPhone = {push::v1::ACCEPTED, push::v1::STORED, push::v1::SENT,
                                    push::v1::AGENT_ACKED};

std::vector<Step> Then(std::vector<Step> steps, Step last) {
  steps.push_back(last);
  return steps;
}

INSTANTIATE_TEST_SUITE_P(
    AllStates, MessageStoryTest,
    testing::Values(
        // --- It waits. ---
        Case{"Scheduled", kStored, GetMessageResponse::DELIVER_AT, "until the time that its sender",
             "for its deliver_at", "", "server"},
        Case{"PhoneAway", kStored, GetMessageResponse::CONNECTION, "the phone has no connection",
             "goes at once then; at the latest 2027-01-16 08:00, when it expires",
             "`bellwire doctor` on the phone", "server", absl::Seconds(10), absl::Hours(24)},
        Case{"SentAndPhoneAway", kSent, GetMessageResponse::CONNECTION,
             "the phone has no connection", "for the phone to come back", "bellwire doctor",
             "server"},
        Case{"ScheduledForATimeThatIsKnown", kStored, GetMessageResponse::DELIVER_AT,
             "until the time that its sender", "until 14:05, its deliver_at", "", "server",
             absl::Seconds(10), absl::Hours(48), push::v1::PRIORITY_NORMAL,
             absl::Hours(6) + absl::Minutes(5)},
        Case{"PhoneAsleep", kStored, GetMessageResponse::PRIORITY, "the phone is asleep",
             "next heartbeat, at the latest at 08:15", "priority HIGH", "server",
             absl::Seconds(10), absl::ZeroDuration(), push::v1::PRIORITY_NORMAL},
        Case{"PhoneAsleepSinceItsDeliverAt", kStored, GetMessageResponse::PRIORITY,
             "the phone is asleep", "next heartbeat, at the latest at 14:20", "priority HIGH",
             "server", absl::Hours(6) + absl::Minutes(6), absl::Hours(48),
             push::v1::PRIORITY_NORMAL, absl::Hours(6) + absl::Minutes(5)},
        Case{"PhoneAsleepForAsLongAsItMay", kStored, GetMessageResponse::PRIORITY,
             "the phone is asleep", "about to go to", "priority HIGH", "server", absl::Minutes(16),
             absl::ZeroDuration(), push::v1::PRIORITY_NORMAL},
        Case{"NotUrgent", kStored, GetMessageResponse::PRIORITY, "not urgent",
             "until somebody uses the phone; at the latest 2027-01-16 08:00", "priority NORMAL",
             "server", absl::Minutes(16), absl::Hours(24), push::v1::PRIORITY_LOW},
        Case{"PhoneAsleepAndThePriorityIsNotKnown", kStored, GetMessageResponse::PRIORITY,
             "the phone is asleep", "or with priority LOW until somebody uses", "priority HIGH",
             "server"},
        Case{"OnItsWay", kSent, GetMessageResponse::DEVICE, "on its way", "for the phone's word",
             "", "server"},
        Case{"NotSentYet", kStored, GetMessageResponse::DEVICE, "on its way",
             "for the phone's word", "", "server"},
        Case{"SentIntoADeadConnection", kSent, GetMessageResponse::DEVICE,
             "has not said that it has it", "2 min 58 s: the connection is probably dead",
             "`bellwire doctor`", "server", absl::Minutes(3)},
        Case{"AppAway", kOnPhone, GetMessageResponse::APP, "the app has not taken it yet",
             "for the app to run; at the latest 09:00, when it expires", "start the app", "phone",
             absl::Seconds(10), absl::Hours(1)},
        Case{"OverOnThePhone", kOnPhone, GetMessageResponse::CONNECTION, "its time is over",
             "how it ended", "", "phone", absl::Hours(2), absl::Hours(1)},
        Case{"OverOnThePhoneThatIsConnected", kOnPhone, GetMessageResponse::DEVICE,
             "its time is over", "how it ended", "", "phone", absl::Hours(2), absl::Hours(1)},
        Case{"WantedBack", kOnPhone, GetMessageResponse::DEVICE, "wants it back",
             "whether the app had it", "", "phone", absl::Seconds(10), absl::Hours(1)},
        Case{"OfANewerServer", kStored, GetMessageResponse::WAITS_FOR_UNSPECIFIED, "not ended yet",
             "too old", "", "server"},
        // --- It has ended. ---
        Case{"Taken", Then(kOnPhone, push::v1::APP_ACKED), {}, "The app has it", "", "", "app"},
        Case{"ExpiredOnTheServer",
             Then(kStored, push::v1::EXPIRED),
             {},
             "before the phone could get it",
             "",
             "longer ttl",
             "server"},
        Case{"ExpiredOnThePhone",
             Then(kOnPhone, push::v1::EXPIRED),
             {},
             "before the app took it",
             "",
             "--start_app_hook",
             "phone"},
        Case{"CollapsedOnTheServer",
             Then(kStored, push::v1::COLLAPSED),
             {},
             "A newer message",
             "",
             "different collapse keys",
             "server"},
        Case{"CollapsedOnThePhone",
             Then(kOnPhone, push::v1::COLLAPSED),
             {},
             "A newer message",
             "",
             "different collapse keys",
             "phone"},
        Case{"Overflowed",
             Then(kStored, push::v1::OVERFLOWED),
             {},
             "this one was dropped",
             "",
             "synchronise",
             "server"},
        Case{"OverflowedOnThePhone",
             Then(kOnPhone, push::v1::OVERFLOWED),
             {},
             "this one was dropped",
             "",
             "synchronise",
             "phone"},
        Case{"Recalled", Then(kSent, push::v1::RECALLED), {}, "took it back", "", "", "server"},
        Case{"RecalledOnThePhone",
             Then(kOnPhone, push::v1::RECALLED),
             {},
             "took it back",
             "",
             "",
             "phone"},
        Case{"Unregistered",
             Then(kStored, push::v1::UNREGISTERED),
             {},
             "the token is dead",
             "",
             "delete this token",
             "server"},
        Case{"UnregisteredOnThePhone",
             Then(kOnPhone, push::v1::UNREGISTERED),
             {},
             "the token is dead",
             "",
             "delete this token",
             "phone"},
        Case{"NotConnected",
             {push::v1::ACCEPTED, push::v1::NOT_CONNECTED},
             {},
             "The phone was not there",
             "",
             "with a ttl",
             "server"}),
    [](const auto& info) { return info.param.name; });

TEST(StoryTest, WhatIsSentAgainIsTold) {
  const Story story = Tell(Message(Then(kSent, push::v1::SENT), GetMessageResponse::DEVICE));
  EXPECT_EQ(story.steps[2].what, "written to the connection");
  EXPECT_EQ(story.steps[3].what, "written again: no word of it");
}

TEST(StoryTest, TheJsonHasWhatIsKnown) {
  GetMessageResponse message = Message(kStored, GetMessageResponse::CONNECTION);
  SetExpiry(absl::Hours(1), &message);
  const nlohmann::ordered_json waiting = ToJson(Tell(message));
  EXPECT_EQ(waiting["ended"], false);
  EXPECT_EQ(waiting["at_latest"], "2027-01-15T09:00:00.000Z");
  EXPECT_EQ(waiting["steps"][1]["place"], "server");
  EXPECT_EQ(waiting["steps"][1]["time"], "2027-01-15T08:00:01.000Z");
  const nlohmann::ordered_json taken = ToJson(Tell(
      Message(Then(kOnPhone, push::v1::APP_ACKED), GetMessageResponse::WAITS_FOR_UNSPECIFIED)));
  EXPECT_EQ(taken["arrived"], true);
  EXPECT_FALSE(taken.contains("waits") || taken.contains("to_do") || taken.contains("at_latest"));
}

}  // namespace
}  // namespace bellwire
