// What a Store promises of pages that leave out priorities: the part of StoreContractTest about
// them.

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/limits.h"
#include "registry/testing/store_contract.h"
#include "rpc/priority.h"

namespace bellwire::registry {
namespace {

using push::v1::Priority;
using push::v1::PRIORITY_HIGH;
using push::v1::PRIORITY_LOW;
using push::v1::PRIORITY_NORMAL;

PageBounds Only(const std::vector<Priority>& priorities, size_t max_messages = 1000) {
  return {.max_bytes = 1 << 20,
          .max_messages = max_messages,
          .priorities = PrioritySet::Of(priorities)};
}

Envelope With(Envelope message, Priority priority) {
  message.set_priority(priority);
  return message;
}

// "2 5; to 6; LOW 1-4 NORMAL 3-3", with " more" at the end if there is.
std::string Describe(const absl::StatusOr<Page>& page) {
  if (!page.ok()) return page.status().ToString();
  std::vector<std::string> passed_over;
  for (const PassedOver& p : page->passed_over) {
    passed_over.push_back(absl::StrCat(push::v1::Priority_Name(p.priority).substr(9), " ",
                                       p.first_seq, "-", p.last_seq));
  }
  std::sort(passed_over.begin(), passed_over.end());
  const auto seq = [](std::string* out, const Envelope& m) { absl::StrAppend(out, m.seq()); };
  return absl::StrCat(absl::StrJoin(page->messages, " ", seq), "; to ", page->complete_to_seq, "; ",
                      absl::StrJoin(passed_over, " "), page->more ? " more" : "");
}

}  // namespace

TEST_P(StoreContractTest, APageHoldsThePrioritiesAskedForAndTellsOfTheOthers) {
  const TokenRef token = Register(Device(1));
  uint32_t id = 0;
  for (const Priority priority : {PRIORITY_LOW, PRIORITY_HIGH, PRIORITY_NORMAL, PRIORITY_LOW,
                                  PRIORITY_HIGH, push::v1::PRIORITY_UNSPECIFIED}) {
    Append(token, With(Message(++id), priority));
  }
  const auto pull = [&](uint64_t after, const PageBounds& bounds) {
    return Describe(store().Pull(Device(1), after, bounds));
  };
  EXPECT_EQ(pull(0, Wide()), "1 2 3 4 5 6; to 6; ");
  EXPECT_EQ(pull(0, Only({PRIORITY_HIGH})), "2 5; to 6; LOW 1-4 NORMAL 3-6");
  EXPECT_EQ(pull(0, Only({PRIORITY_HIGH, PRIORITY_NORMAL})), "2 3 5 6; to 6; LOW 1-4");
  EXPECT_EQ(pull(2, Only({PRIORITY_LOW})), "4; to 6; HIGH 5-5 NORMAL 3-6");
  // Not more than is accounted for.
  EXPECT_EQ(pull(0, Only({PRIORITY_HIGH}, 1)), "2; to 4; LOW 1-4 NORMAL 3-3 more");
  EXPECT_EQ(pull(4, Only({PRIORITY_HIGH}, 1)), "5; to 6; NORMAL 6-6");
  EXPECT_EQ(pull(5, Only({PRIORITY_HIGH})), "; to 6; NORMAL 6-6");

  const absl::StatusOr<BindResult> bound =
      store().Bind(Device(1), RouteOf(1), Only({PRIORITY_HIGH}), {});
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_EQ(Describe(bound->page), "2 5; to 6; LOW 1-4 NORMAL 3-6");
}

TEST_P(StoreContractTest, AGapNoticeHasNormalPriority) {
  const TokenRef token = Register(Device(1));
  for (uint32_t id = 1; id <= kMaxMailboxMessagesPerApp + 1; ++id) {
    Append(token, With(Message(id), PRIORITY_LOW));
  }
  // 101 is the notice. It doesn't wake the phone, nor does it wait for days with the LOW ones.
  EXPECT_EQ(Describe(store().Pull(Device(1), 0, Only({PRIORITY_HIGH}))),
            "; to 102; LOW 2-102 NORMAL 101-101");
  EXPECT_EQ(Describe(store().Pull(Device(1), 0, Only({PRIORITY_NORMAL}))),
            "101; to 102; LOW 2-102");
}

// Waiting in the mailbox for its priority's sake is no different from waiting for the device to
// come.
TEST_P(StoreContractTest, WhatIsPassedOverStillExpiresAndIsReplacedAndRecalled) {
  const TokenRef token = Register(Device(1));
  Bind(Device(1), 1);
  Envelope replaced = With(Message(1), PRIORITY_LOW);
  replaced.set_collapse_key("k");
  Append(token, replaced);
  Append(token, With(Message(2, absl::Seconds(30)), PRIORITY_LOW));
  Append(token, With(Message(3), PRIORITY_LOW));
  Append(token, With(Message(4), PRIORITY_LOW));
  Envelope replacement = With(Message(5), PRIORITY_HIGH);
  replacement.set_collapse_key("k");
  Append(token, replacement);
  ASSERT_TRUE(store().Recall(token, Id(3)).ok());
  EXPECT_EQ(Describe(store().Pull(Device(1), 0, Only({PRIORITY_HIGH}))), "5; to 5; LOW 2-4");
  clock().Advance(absl::Seconds(30));
  EXPECT_EQ(Describe(store().Pull(Device(1), 0, Only({PRIORITY_HIGH}))), "5; to 5; LOW 4-4");
  clock().Advance(kExpiryGrace);
  Sweep();
  clock().Advance(kExpiryGrace);
  Sweep();
  EXPECT_EQ(Steps(token, 1), "ACCEPTED STORED COLLAPSED");
  EXPECT_EQ(Steps(token, 2), "ACCEPTED STORED EXPIRED");
  EXPECT_EQ(Describe(store().Pull(Device(1), 0, Only({PRIORITY_LOW}))), "4; to 5; HIGH 5-5");
  // Acknowledgements come as they come.
  Ack(Device(1), {5});
  Ack(Device(1), {4});
  EXPECT_EQ(Describe(store().Pull(Device(1), 0, Wide())), "; to 5; ");
}

TEST_P(StoreContractTest, AMessageThatIsDueKeepsItsPriority) {
  const TokenRef token = Register(Device(1));
  Envelope later = With(Message(1), PRIORITY_LOW);
  later.set_deliver_at_ms(NowMs() + 5000);
  later.set_expires_at_ms(NowMs() + 60'000);
  Append(token, later);
  clock().Advance(absl::Seconds(5));
  EXPECT_EQ(Describe(store().Pull(Device(1), 0, Only({PRIORITY_HIGH}))), "; to 1; LOW 1-1");
}

TEST_P(StoreContractTest, APageOfWhatIsRareLooksAtABoundedNumberOfRecords) {
  for (int app = 0; app < 11; ++app) {
    const std::string app_id = absl::StrCat("com.example.app", app);
    PutApp(app_id, admin::v1::DROP_OLDEST);
    const TokenRef token = Register(Device(1), app_id);
    for (uint32_t id = 1; id <= 100; ++id) {
      Append(token, With(Message(id), app == 10 && id == 100 ? PRIORITY_HIGH : PRIORITY_LOW));
    }
  }
  EXPECT_EQ(Describe(store().Pull(Device(1), 0, Only({PRIORITY_HIGH}))),
            "; to 1024; LOW 1-1024 more");
  EXPECT_EQ(Describe(store().Pull(Device(1), 1024, Only({PRIORITY_HIGH}))),
            "1100; to 1100; LOW 1025-1099");
}

}  // namespace bellwire::registry
