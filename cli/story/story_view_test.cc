#include "cli/story/story_view.h"

#include <sstream>
#include <string>

#include "cli/doctor/report.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

using push::v1::GetMessageResponse;
using ::testing::HasSubstr;
using ::testing::Not;

const absl::Time kAccepted = absl::FromUnixSeconds(1'800'000'000);  // 2027-01-15 08:00 UTC.

// A message that is on the phone, a second a step.
GetMessageResponse OnPhone() {
  GetMessageResponse message;
  message.set_message_id("0b7e2f4a-5d8a-4c9e-9a0b-1c2d3e4f5a6b");
  message.set_app_id("com.example.mail");
  int64_t second = absl::ToUnixSeconds(kAccepted);
  for (push::v1::Step step :
       {push::v1::ACCEPTED, push::v1::STORED, push::v1::SENT, push::v1::AGENT_ACKED}) {
    push::v1::Receipt* const receipt = message.add_receipts();
    receipt->set_step(step);
    receipt->mutable_time()->set_seconds(second++);
  }
  message.set_state(push::v1::AGENT_ACKED);
  message.set_waits_for(GetMessageResponse::APP);
  return message;
}

std::string Print(const GetMessageResponse& message) {
  std::ostringstream page;
  Terminal out(&page, /*colour=*/false);
  PrintStory(message, TellStory(message, kAccepted + absl::Seconds(10), absl::UTCTimeZone()),
             absl::UTCTimeZone(), out);
  return page.str();
}

TEST(StoryViewTest, TheTableHasTimesAndPlacesAndWhatTheServerAdded) {
  GetMessageResponse message = OnPhone();
  message.mutable_receipts(2)->set_detail("through a slow window");
  const std::string page = Print(message);
  EXPECT_THAT(
      page, HasSubstr("ACCEPTED      08:00:00.000               server  taken from its sender\n"));
  EXPECT_THAT(page,
              HasSubstr("AGENT_ACKED   08:00:03.000  +1.00 s      phone   on the phone's disk\n"));
  EXPECT_THAT(page, HasSubstr("SENT: through a slow window\n"));
}

TEST(StoryViewTest, TheTraceIsNamedWhereThereIsOne) {
  GetMessageResponse message = OnPhone();
  EXPECT_THAT(Print(message), Not(HasSubstr("traceparent")));
  message.set_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  EXPECT_THAT(Print(message), HasSubstr("\ntraceparent " + message.traceparent() + "\n"));
}

// The longest words of each kind: what waits, and what ended.
TEST(StoryViewTest, NoLineIsWiderThanThePage) {
  GetMessageResponse waiting = OnPhone();
  waiting.mutable_receipts()->RemoveLast();
  waiting.mutable_receipts()->RemoveLast();
  waiting.set_state(push::v1::STORED);
  waiting.set_waits_for(GetMessageResponse::PRIORITY);
  waiting.set_priority(push::v1::PRIORITY_LOW);
  waiting.mutable_expires_at()->set_seconds(absl::ToUnixSeconds(kAccepted) + 100'000);
  GetMessageResponse expired = OnPhone();
  push::v1::Receipt* const end = expired.add_receipts();
  end->set_step(push::v1::EXPIRED);
  end->mutable_time()->set_seconds(absl::ToUnixSeconds(kAccepted) + 60);
  end->set_detail(std::string(60, 'a') + " " + std::string(60, 'b'));
  expired.set_state(push::v1::EXPIRED);
  expired.set_terminal(true);
  for (const GetMessageResponse& message : {waiting, expired}) {
    std::istringstream lines(Print(message));
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(line.size(), kPageColumns) << line;
    }
  }
}

}  // namespace
}  // namespace bellwire::cli
