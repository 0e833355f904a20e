#include "connector/session/delivery_order.h"

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using internal::v1::Envelope;
using internal::v1::Page;
using push::v1::Priority;
using push::v1::PRIORITY_HIGH;
using push::v1::PRIORITY_LOW;
using push::v1::PRIORITY_NORMAL;
using Seqs = std::vector<uint64_t>;

Envelope Message(uint64_t seq, Priority priority = PRIORITY_NORMAL) {
  Envelope message;
  message.set_seq(seq);
  message.set_priority(priority);
  return message;
}

Page PageOf(const std::vector<Envelope>& messages, uint64_t complete_to, bool more = false) {
  Page page;
  for (const Envelope& message : messages) *page.add_messages() = message;
  page.set_complete_to_seq(complete_to);
  page.set_more(more);
  return page;
}

class DeliveryOrderTest : public testing::Test {
 protected:
  bool TrySend(const Envelope& message) {
    if (room_ == 0) return false;
    --room_;
    sent_.push_back(message.seq());
    return true;
  }
  void Start(uint64_t settled, const Page& page) { order_.Start(settled, page, try_send_); }
  void Offer(uint64_t seq, Priority priority = PRIORITY_NORMAL) {
    order_.Offer(Message(seq, priority), try_send_);
  }
  // "NORMAL after 7", or "nothing".
  std::string Pull() {
    if (!order_.wants_pull()) return "nothing";
    internal::v1::PullRequest pull;
    order_.StartPull(&pull);
    EXPECT_EQ(pull.priorities_size(), 1);
    return absl::StrCat(
        push::v1::Priority_Name(static_cast<Priority>(pull.priorities(0))).substr(9), " after ",
        pull.after_seq());
  }
  void Finish(const std::vector<Envelope>& messages, uint64_t complete_to, bool more = false) {
    order_.FinishPull(PageOf(messages, complete_to, more), try_send_);
  }

  const std::function<bool(const Envelope&)> try_send_ = [this](const Envelope& message) {
    return TrySend(message);
  };
  size_t room_ = 100;
  Seqs sent_;
  DeliveryOrder order_;
};

TEST_F(DeliveryOrderTest, WhatIsHandedOverInOrderIsSent) {
  Start(4, PageOf({Message(5), Message(6, PRIORITY_HIGH)}, 6));
  Offer(7);
  Offer(9, PRIORITY_LOW);
  Offer(10, PRIORITY_HIGH);
  EXPECT_EQ(sent_, (Seqs{5, 6, 7, 9, 10}));
  EXPECT_EQ(Pull(), "nothing");
}

TEST_F(DeliveryOrderTest, WhatWasSentIsNotSentAgain) {
  Start(0, PageOf({Message(1)}, 1));
  Offer(1);
  EXPECT_EQ(sent_, Seqs{1});
}

// The kind of the fault of seed 83558561: one message stayed behind, and nobody knew.
TEST_F(DeliveryOrderTest, OnlyAPageThatReachedTheEndEndsBeingBehind) {
  Start(0, PageOf({}, 0));
  room_ = 1;
  Offer(1);
  Offer(2);
  Offer(3);
  EXPECT_EQ(sent_, Seqs{1});
  EXPECT_EQ(Pull(), "NORMAL after 1");
  room_ = 1;
  // Another is handed over while the page is on its way: after it was read, so that comes later, or
  // before, so the page has it.
  Offer(4);
  Finish({Message(2)}, 2, /*more=*/true);
  Offer(5);
  EXPECT_EQ(sent_, (Seqs{1, 2}));
  EXPECT_EQ(Pull(), "NORMAL after 2");
  room_ = 2;
  Finish({Message(3), Message(4), Message(5)}, 5);
  EXPECT_EQ(sent_, (Seqs{1, 2, 3, 4})) << "the window was smaller than the page";
  room_ = 9;
  Offer(6);
  EXPECT_EQ(sent_, (Seqs{1, 2, 3, 4})) << "5 comes before it";
  EXPECT_EQ(Pull(), "NORMAL after 4");
  Finish({Message(5), Message(6)}, 6);
  Offer(7);
  EXPECT_EQ(sent_, (Seqs{1, 2, 3, 4, 5, 6, 7}));
}

TEST_F(DeliveryOrderTest, APullThatFailsIsWantedAgain) {
  Start(0, PageOf({}, 0));
  order_.FallBehind();
  EXPECT_EQ(Pull(), "HIGH after 0");
  EXPECT_FALSE(order_.wants_pull());
  order_.PullFailed();
  EXPECT_EQ(Pull(), "HIGH after 0");
}

TEST_F(DeliveryOrderTest, APriorityThatIsBehindHoldsUpNoOther) {
  Start(0, PageOf({}, 0));
  room_ = 0;
  Offer(1);
  room_ = 9;
  Offer(2, PRIORITY_HIGH);
  Offer(3);
  EXPECT_EQ(sent_, Seqs{2});
  EXPECT_EQ(Pull(), "NORMAL after 0");
}

TEST_F(DeliveryOrderTest, WhatBindLeftOutIsKnownToWait) {
  order_.SetActivity(device::v1::IDLE);
  Page page = PageOf({Message(3, PRIORITY_HIGH)}, 8);
  internal::v1::PassedOver* low = page.add_passed_over();
  low->set_priority(PRIORITY_LOW);
  low->set_first_seq(5);
  low->set_last_seq(7);
  Start(2, page);
  EXPECT_EQ(Pull(), "nothing");
  order_.SetActivity(device::v1::ACTIVE);
  EXPECT_EQ(Pull(), "LOW after 4");
}

TEST_F(DeliveryOrderTest, NothingIsSentUntilItIsKnownWhatGotLost) {
  Start(0, PageOf({}, 0));
  Offer(1);
  order_.Suspend();
  Offer(3);
  EXPECT_EQ(sent_, Seqs{1});
  EXPECT_EQ(Pull(), "nothing");
  EXPECT_EQ(order_.seen_up_to(), 1u);
  order_.Resume(/*behind=*/true);
  EXPECT_EQ(Pull(), "HIGH after 1");
  Finish({}, 3);
  EXPECT_EQ(Pull(), "NORMAL after 1");
  Finish({Message(2), Message(3)}, 3);
  EXPECT_EQ(sent_, (Seqs{1, 2, 3}));
}

TEST_F(DeliveryOrderTest, WhatWasBehindBeforeABreakStaysBehind) {
  order_.SetActivity(device::v1::IDLE);
  Start(0, PageOf({}, 0));
  order_.CloseIfThrough();
  Offer(1, PRIORITY_LOW);
  Offer(2, PRIORITY_HIGH);
  order_.Suspend();
  EXPECT_EQ(order_.seen_up_to(), 2u) << "of LOW it is known that something waits";
  order_.Resume(/*behind=*/false);
  EXPECT_EQ(Pull(), "nothing");
  order_.SetActivity(device::v1::ACTIVE);
  EXPECT_EQ(Pull(), "LOW after 0");
}

TEST_F(DeliveryOrderTest, TheRadioStaysUpUntilNormalIsThrough) {
  order_.SetActivity(device::v1::IDLE);
  order_.OpenForNormal();
  room_ = 1;
  Start(0, PageOf({Message(1), Message(2)}, 2));
  order_.CloseIfThrough();
  EXPECT_EQ(Pull(), "NORMAL after 1");
  room_ = 9;
  Finish({Message(2)}, 2);
  order_.CloseIfThrough();
  Offer(3);
  EXPECT_EQ(sent_, (Seqs{1, 2}));
  EXPECT_TRUE(order_.has_waiting_normal());
  order_.OpenForNormal();
  EXPECT_FALSE(order_.has_waiting_normal());
  EXPECT_EQ(Pull(), "NORMAL after 2");
}

}  // namespace
}  // namespace bellwire::connector
