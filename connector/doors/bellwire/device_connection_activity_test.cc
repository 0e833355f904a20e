// What a connection does with priorities: which messages an idle device gets, and when it gets the
// rest.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/error.h"
#include "common/limits.h"
#include "connector/testing/connection_harness.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using internal::v1::Envelope;
using push::v1::Priority;
using push::v1::PRIORITY_HIGH;
using push::v1::PRIORITY_LOW;
using push::v1::PRIORITY_NORMAL;
using S = ConnectionState;
using H = ConnectionHarness;
using Seqs = std::vector<uint64_t>;

Envelope Message(uint64_t seq, Priority priority) {
  Envelope message = H::Message(seq);
  message.set_priority(priority);
  return message;
}

void Say(H& h, device::v1::Activity activity) {
  device::v1::AgentFrame frame;
  frame.mutable_activity_change()->set_activity(activity);
  h.Receive(frame);
}

internal::v1::PullResponse PageOf(const std::vector<Envelope>& messages, uint64_t complete_to) {
  internal::v1::PullResponse response;
  for (const Envelope& message : messages) *response.mutable_page()->add_messages() = message;
  response.mutable_page()->set_complete_to_seq(complete_to);
  return response;
}

// "NORMAL after 6", or "nothing" if no pull was asked for since the last call.
std::string Pulled(H& h) {
  if (h.host.pulls.empty()) return "nothing";
  EXPECT_EQ(h.host.pulls.size(), 1u);
  std::vector<std::string> priorities;
  for (const int priority : h.host.pulls[0].priorities()) {
    priorities.push_back(push::v1::Priority_Name(static_cast<Priority>(priority)).substr(9));
  }
  if (priorities.empty()) priorities.push_back("all");
  const std::string text =
      absl::StrCat(absl::StrJoin(priorities, "+"), " after ", h.host.pulls[0].after_seq());
  h.host.pulls.clear();
  return text;
}

// A session with an idle device that has everything up to 4.
class IdleDevice : public H {
 public:
  IdleDevice() {
    BringTo(S::kActive, 4);
    Say(*this, device::v1::IDLE);
  }
};

TEST(DeviceConnectionActivityTest, AnIdleDeviceGetsHighAtOnce) {
  IdleDevice h;
  EXPECT_TRUE(h.Deliver(Message(5, PRIORITY_LOW)));
  EXPECT_EQ(h.PushedSeqs(), Seqs{});
  h.Deliver(Message(6, PRIORITY_HIGH));
  h.Deliver(Message(7, PRIORITY_LOW));
  h.Deliver(Message(8, PRIORITY_HIGH));
  EXPECT_EQ(h.PushedSeqs(), (Seqs{6, 8}));
  EXPECT_EQ(Pulled(h), "nothing");
}

TEST(DeviceConnectionActivityTest, NormalGoesAlongWithHigh) {
  IdleDevice h;
  h.Deliver(Message(5, PRIORITY_NORMAL));
  h.Deliver(Message(6, PRIORITY_LOW));
  EXPECT_EQ(Pulled(h), "nothing");
  h.Deliver(Message(7, PRIORITY_HIGH));
  EXPECT_EQ(Pulled(h), "NORMAL after 4");
  h.connection.OnPulled(PageOf({Message(5, PRIORITY_NORMAL)}, 7));
  EXPECT_EQ(h.PushedSeqs(), (Seqs{7, 5}));
  // And is through: the next one waits again.
  h.Deliver(Message(8, PRIORITY_NORMAL));
  EXPECT_EQ(h.PushedSeqs(), (Seqs{7, 5}));
  EXPECT_EQ(Pulled(h), "nothing");
}

TEST(DeviceConnectionActivityTest, NormalGoesAlongWithAHeartbeat) {
  IdleDevice h;
  h.Deliver(Message(5, PRIORITY_NORMAL));
  h.ReceiveHeartbeat();
  EXPECT_EQ(h.host.heartbeats, 1);
  EXPECT_EQ(Pulled(h), "NORMAL after 4");
  h.connection.OnPulled(PageOf({Message(5, PRIORITY_NORMAL)}, 5));
  EXPECT_EQ(h.PushedSeqs(), Seqs{5});
  // Without any it costs the registry nothing.
  h.ReceiveHeartbeat();
  EXPECT_EQ(Pulled(h), "nothing");
}

TEST(DeviceConnectionActivityTest, NormalGoesAlongWithANowOrNeverMessage) {
  IdleDevice h;
  h.Deliver(Message(5, PRIORITY_NORMAL));
  Envelope now_or_never = H::NowOrNever(6);
  now_or_never.set_priority(PRIORITY_LOW);
  h.Deliver(now_or_never);
  EXPECT_EQ(h.PushedSeqs(), Seqs{6}) << "at once, whatever its priority";
  EXPECT_EQ(Pulled(h), "NORMAL after 4");
}

TEST(DeviceConnectionActivityTest, NormalWaitsNoLongerThanItsBound) {
  IdleDevice h;
  h.Deliver(Message(5, PRIORITY_LOW));
  h.Advance(absl::Minutes(1));
  h.Deliver(Message(6, PRIORITY_NORMAL));
  h.Advance(absl::Minutes(1));
  h.Deliver(Message(7, PRIORITY_NORMAL));
  h.Advance(kMaxNormalWait - absl::Minutes(1) - absl::Milliseconds(1));
  EXPECT_EQ(Pulled(h), "nothing");
  h.Advance(absl::Milliseconds(1));
  EXPECT_EQ(Pulled(h), "NORMAL after 5");
  h.connection.OnPulled(PageOf({Message(6, PRIORITY_NORMAL), Message(7, PRIORITY_NORMAL)}, 7));
  EXPECT_EQ(h.PushedSeqs(), (Seqs{6, 7}));
  // The time counts anew.
  h.Deliver(Message(8, PRIORITY_NORMAL));
  h.Advance(kMaxNormalWait - absl::Milliseconds(1));
  EXPECT_EQ(Pulled(h), "nothing");
  h.Advance(absl::Milliseconds(1));
  EXPECT_EQ(Pulled(h), "NORMAL after 7");
}

TEST(DeviceConnectionActivityTest, LowWaitsForAnActiveDeviceHoweverLong) {
  IdleDevice h;
  h.Deliver(Message(5, PRIORITY_LOW));
  for (int i = 0; i < 10; ++i) {
    h.Advance(absl::Minutes(50));
    h.ReceiveHeartbeat();
  }
  h.Deliver(Message(6, PRIORITY_HIGH));
  EXPECT_EQ(Pulled(h), "nothing");
  Say(h, device::v1::ACTIVE);
  EXPECT_EQ(Pulled(h), "LOW after 4");
  h.connection.OnPulled(PageOf({Message(5, PRIORITY_LOW)}, 6));
  EXPECT_EQ(h.PushedSeqs(), (Seqs{6, 5}));
  h.Deliver(Message(7, PRIORITY_LOW));
  EXPECT_EQ(h.PushedSeqs(), (Seqs{6, 5, 7}));
}

TEST(DeviceConnectionActivityTest, LaterOnesOfAPriorityDoNotOvertakeThoseThatWaited) {
  IdleDevice h;
  h.Deliver(Message(5, PRIORITY_LOW));
  Say(h, device::v1::ACTIVE);
  EXPECT_EQ(Pulled(h), "LOW after 4");
  h.Deliver(Message(6, PRIORITY_LOW));
  h.Deliver(Message(7, PRIORITY_NORMAL));
  EXPECT_EQ(h.PushedSeqs(), Seqs{7});
  // 6 was handed over before the page, so the page has it.
  h.connection.OnPulled(PageOf({Message(5, PRIORITY_LOW), Message(6, PRIORITY_LOW)}, 7));
  EXPECT_EQ(h.PushedSeqs(), (Seqs{7, 5, 6}));
  EXPECT_EQ(Pulled(h), "nothing");
  h.Deliver(Message(8, PRIORITY_LOW));
  EXPECT_EQ(h.PushedSeqs(), (Seqs{7, 5, 6, 8}));
}

TEST(DeviceConnectionActivityTest, AnIdleLoginAsksForAllButLow) {
  H h;
  h.connection.OnOpen();
  device::v1::AgentFrame login = H::LoginFrame();
  login.mutable_login()->set_activity(device::v1::IDLE);
  h.Receive(login);
  ASSERT_EQ(h.host.binds.size(), 1u);
  ASSERT_EQ(h.host.binds[0].priorities_size(), 2);
  EXPECT_EQ(h.host.binds[0].priorities(0), PRIORITY_HIGH);
  EXPECT_EQ(h.host.binds[0].priorities(1), PRIORITY_NORMAL);

  internal::v1::BindResponse bound = H::Bound(0);
  *bound.mutable_page() =
      PageOf({Message(2, PRIORITY_NORMAL), Message(4, PRIORITY_HIGH)}, 4).page();
  bound.mutable_page()->set_more(true);
  internal::v1::PassedOver* low = bound.mutable_page()->add_passed_over();
  low->set_priority(PRIORITY_LOW);
  low->set_first_seq(1);
  low->set_last_seq(3);
  h.connection.OnBound(bound);
  EXPECT_EQ(h.PushedSeqs(), (Seqs{2, 4}));
  // The login's radio is up for the second page too.
  EXPECT_EQ(Pulled(h), "HIGH after 4");
  h.connection.OnPulled(PageOf({}, 6));
  EXPECT_EQ(Pulled(h), "NORMAL after 4");
  h.connection.OnPulled(PageOf({Message(5, PRIORITY_NORMAL)}, 6));
  EXPECT_EQ(h.PushedSeqs(), (Seqs{2, 4, 5}));
  EXPECT_EQ(Pulled(h), "nothing");
  h.Deliver(Message(7, PRIORITY_NORMAL));
  EXPECT_EQ(h.PushedSeqs(), (Seqs{2, 4, 5})) << "now it is over";

  Say(h, device::v1::ACTIVE);
  EXPECT_EQ(Pulled(h), "NORMAL after 6");
  h.connection.OnPulled(PageOf({Message(7, PRIORITY_NORMAL)}, 7));
  EXPECT_EQ(Pulled(h), "LOW after 0");
  h.connection.OnPulled(PageOf({Message(1, PRIORITY_LOW), Message(3, PRIORITY_LOW)}, 7));
  EXPECT_EQ(h.PushedSeqs(), (Seqs{2, 4, 5, 7, 1, 3}));
}

TEST(DeviceConnectionActivityTest, AnIdleDeviceIsLookedForHighOnly) {
  IdleDevice h;
  h.Miss();
  EXPECT_EQ(Pulled(h), "HIGH after 4");
  h.connection.OnPulled(PageOf({Message(6, PRIORITY_HIGH)}, 8));
  EXPECT_EQ(h.PushedSeqs(), Seqs{6});
  EXPECT_EQ(Pulled(h), "NORMAL after 4") << "along with the HIGH one";
}

// Laid down while a page was on its way.
TEST(DeviceConnectionActivityTest, APageIsLookedAtWithTheActivityOfItsArrival) {
  H h;
  h.BringTo(S::kActive, 4);
  h.Miss();
  EXPECT_EQ(Pulled(h), "HIGH after 4");
  h.connection.OnPulled(PageOf({}, 7));
  EXPECT_EQ(Pulled(h), "NORMAL after 4");
  Say(h, device::v1::IDLE);
  h.connection.OnPulled(PageOf({Message(6, PRIORITY_NORMAL)}, 7));
  EXPECT_EQ(h.PushedSeqs(), Seqs{6}) << "NORMAL was on its way";
  Say(h, device::v1::ACTIVE);
  EXPECT_EQ(Pulled(h), "LOW after 4");
  Say(h, device::v1::IDLE);
  h.connection.OnPulled(PageOf({Message(5, PRIORITY_LOW)}, 7));
  EXPECT_EQ(h.PushedSeqs(), Seqs{6});
  Say(h, device::v1::ACTIVE);
  EXPECT_EQ(Pulled(h), "LOW after 4") << "it is behind until it was sent";
}

TEST(DeviceConnectionActivityTest, KeptMessagesWaitForRoomInTheWindow) {
  IdleDevice h;
  h.Deliver(Message(5, PRIORITY_LOW));
  uint64_t seq = 6;
  for (size_t i = 0; i < kSessionWindowMessages; ++i) h.Deliver(Message(seq++, PRIORITY_HIGH));
  EXPECT_EQ(h.PushedSeqs().size(), kSessionWindowMessages);
  // Passes the full window, because it is not sent.
  h.Deliver(Message(seq++, PRIORITY_LOW));
  Say(h, device::v1::ACTIVE);
  EXPECT_EQ(Pulled(h), "nothing");
  h.ReceiveAck(seq);
  h.connection.OnAckTaken(absl::OkStatus());
  EXPECT_EQ(Pulled(h), "LOW after 4");
}

TEST(DeviceConnectionActivityTest, HighComesFirstAsLongAsThereIsAny) {
  IdleDevice h;
  h.Deliver(Message(5, PRIORITY_LOW));
  h.Miss();
  EXPECT_EQ(Pulled(h), "HIGH after 5");
  Say(h, device::v1::ACTIVE);
  internal::v1::PullResponse page = PageOf({Message(6, PRIORITY_HIGH)}, 6);
  page.mutable_page()->set_more(true);
  h.connection.OnPulled(page);
  EXPECT_EQ(Pulled(h), "HIGH after 6");
  h.connection.OnPulled(PageOf({}, 9));
  EXPECT_EQ(Pulled(h), "NORMAL after 5");
  h.connection.OnPulled(PageOf({}, 9));
  EXPECT_EQ(Pulled(h), "LOW after 4");
  h.connection.OnPulled(PageOf({Message(5, PRIORITY_LOW)}, 9));
  EXPECT_EQ(h.PushedSeqs(), (Seqs{6, 5}));
  EXPECT_EQ(Pulled(h), "nothing");
}

// --- Room. ---

// An agent that bundles its acknowledgements: 64 are sent, 26 more wait, and it acknowledges three.
TEST(DeviceConnectionActivityTest, RoomIsUsedWhenThereIsRoomHighFirst) {
  H h;
  h.BringTo(S::kActive);
  uint64_t seq = 1;
  for (; seq <= kSessionWindowMessages; ++seq) h.Deliver(Message(seq, PRIORITY_NORMAL));
  for (; seq < 90; ++seq) h.Deliver(Message(seq, PRIORITY_NORMAL));
  h.Deliver(Message(90, PRIORITY_HIGH));
  EXPECT_EQ(h.PushedSeqs().size(), kSessionWindowMessages);
  EXPECT_EQ(Pulled(h), "nothing");
  h.ReceiveAck(3);
  h.connection.OnAckTaken(absl::OkStatus());
  ASSERT_EQ(h.host.pulls.size(), 1u);
  EXPECT_EQ(h.host.pulls[0].max_messages(), 3u);
  EXPECT_EQ(Pulled(h), "HIGH after 89");
  internal::v1::PullResponse page = PageOf({Message(90, PRIORITY_HIGH)}, 90);
  h.connection.OnPulled(page);
  EXPECT_EQ(h.PushedSeqs().back(), 90u);
  ASSERT_EQ(h.host.pulls.size(), 1u);
  EXPECT_EQ(h.host.pulls[0].max_messages(), 2u);
  EXPECT_EQ(Pulled(h), "NORMAL after 64");
  page = PageOf({Message(65, PRIORITY_NORMAL), Message(66, PRIORITY_NORMAL)}, 66);
  page.mutable_page()->set_more(true);
  h.connection.OnPulled(page);
  EXPECT_EQ(h.PushedSeqs().back(), 66u);
  // What is HIGH does not wait for those that have waited longer: it takes the next room.
  h.Deliver(Message(91, PRIORITY_HIGH));
  EXPECT_EQ(Pulled(h), "nothing");
  h.ReceiveAck(4);
  h.connection.OnAckTaken(absl::OkStatus());
  EXPECT_EQ(Pulled(h), "HIGH after 90");
}

TEST(DeviceConnectionActivityTest, WhoTakesUpAPhoneThatHasNotAcknowledgedGetsWhatThereIsRoomFor) {
  IdleDevice h;
  uint64_t seq = 5;
  for (int i = 0; i < 40; ++i) h.Deliver(Message(seq++, PRIORITY_HIGH));
  const uint64_t low = seq++;
  h.Deliver(Message(low, PRIORITY_LOW));
  EXPECT_EQ(h.PushedSeqs().size(), 40u);
  Say(h, device::v1::ACTIVE);
  ASSERT_EQ(Pulled(h), absl::StrCat("LOW after ", low - 1));
  h.connection.OnPulled(PageOf({Message(low, PRIORITY_LOW)}, low));
  EXPECT_EQ(h.PushedSeqs().back(), low);
}

// --- Waits that end. ---

TEST(DeviceConnectionActivityTest, ARegistryThatIsAwayIsAskedAgain) {
  IdleDevice h;
  h.Deliver(Message(5, PRIORITY_NORMAL));
  h.ReceiveHeartbeat();
  EXPECT_EQ(Pulled(h), "NORMAL after 4");
  h.connection.OnPulled(MakeError(absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE", "away"));
  EXPECT_EQ(Pulled(h), "nothing");
  h.Advance(kRegistryRetryMax);
  EXPECT_EQ(Pulled(h), "NORMAL after 4") << "the radio was up for it";
}

TEST(DeviceConnectionActivityTest, AnActivityThatIsNotSaidIsActive) {
  IdleDevice h;
  h.Deliver(Message(5, PRIORITY_LOW));
  Say(h, device::v1::ACTIVITY_UNSPECIFIED);
  EXPECT_EQ(Pulled(h), "LOW after 4");
}

TEST(DeviceConnectionActivityTest, ADrainingSessionFetchesNothing) {
  IdleDevice h;
  h.Deliver(Message(5, PRIORITY_HIGH));
  h.Deliver(Message(6, PRIORITY_LOW));
  h.connection.Drain();
  Say(h, device::v1::ACTIVE);
  EXPECT_EQ(Pulled(h), "nothing");
}

}  // namespace
}  // namespace bellwire::connector
