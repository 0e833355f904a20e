#include "connector/shard/shard_inbox.h"

#include <memory>

#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using internal::v1::ConnectorResponse;
using Outcome = ConnectorResponse::Outcome;

class ShardInboxTest : public testing::Test {
 protected:
  ShardInbox::Request Delivery(uint64_t session_id, uint64_t seq) {
    ShardInbox::Request request;
    request.request.mutable_route()->set_session_id(session_id);
    request.request.mutable_deliver()->mutable_message()->set_seq(seq);
    request.done = [this](Outcome outcome) {
      last_outcome_ = outcome;
      ++answered_;
    };
    return request;
  }

  int wakes_ = 0;
  bool can_wake_ = true;
  int answered_ = 0;
  Outcome last_outcome_ = ConnectorResponse::OUTCOME_UNSPECIFIED;
  ShardInbox inbox_{[this] {
    ++wakes_;
    return can_wake_;
  }};
};

TEST_F(ShardInboxTest, WakesOnceForEverythingThatComesBeforeTake) {
  inbox_.AddAnswer([] {});
  inbox_.AddRequest(Delivery(1, 1));
  inbox_.AddRequest(Delivery(1, 2));
  EXPECT_EQ(wakes_, 1);
  const ShardInbox::Batch batch = inbox_.Take();
  EXPECT_EQ(batch.answers.size(), 1u);
  ASSERT_EQ(batch.requests.size(), 2u);
  EXPECT_EQ(batch.requests[1].request.deliver().message().seq(), 2u);
  EXPECT_TRUE(inbox_.Take().requests.empty());
  inbox_.AddRequest(Delivery(1, 3));
  EXPECT_EQ(wakes_, 2);
}

TEST_F(ShardInboxTest, AFailedWakeLosesNothing) {
  can_wake_ = false;
  inbox_.AddAnswer([] {});
  can_wake_ = true;
  inbox_.AddAnswer([] {});
  EXPECT_EQ(wakes_, 2);
  EXPECT_EQ(inbox_.Take().answers.size(), 2u);
}

TEST_F(ShardInboxTest, RefusesRequestsBeyondTheBoundAndRemembersTheirSessions) {
  for (size_t i = 0; i < kMaxShardRequests; ++i) inbox_.AddRequest(Delivery(1, i));
  EXPECT_EQ(answered_, 0);
  inbox_.AddRequest(Delivery(2, 7));
  inbox_.AddRequest(Delivery(2, 9));
  inbox_.AddRequest(Delivery(2, 8));
  ShardInbox::Request mark = Delivery(3, 0);
  mark.request.mutable_missed()->set_seq(11);
  inbox_.AddRequest(std::move(mark));
  EXPECT_EQ(answered_, 4);
  EXPECT_EQ(last_outcome_, ConnectorResponse::OVERLOADED);
  // An answer of the registry gets in all the same.
  inbox_.AddAnswer([] {});
  ShardInbox::Batch batch = inbox_.Take();
  EXPECT_EQ(batch.requests.size(), kMaxShardRequests);
  EXPECT_EQ(batch.answers.size(), 1u);
  ASSERT_EQ(batch.missed.size(), 2u);
  EXPECT_EQ(batch.missed[2], 9u);
  EXPECT_EQ(batch.missed[3], 11u) << "a mark of the registry's";
}

TEST_F(ShardInboxTest, CloseAnswersWhoWaitsAndWhoComesLater) {
  inbox_.AddRequest(Delivery(1, 1));
  inbox_.Close();
  EXPECT_EQ(answered_, 1);
  EXPECT_EQ(last_outcome_, ConnectorResponse::NO_SESSION);
  inbox_.AddRequest(Delivery(1, 2));
  EXPECT_EQ(answered_, 2);
  const auto held = std::make_shared<int>(1);
  inbox_.AddAnswer([held] {});
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_TRUE(inbox_.Take().requests.empty());
}

}  // namespace
}  // namespace bellwire::connector
