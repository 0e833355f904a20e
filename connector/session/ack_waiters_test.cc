#include "connector/session/ack_waiters.h"

#include <map>

#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using internal::v1::ConnectorResponse;

TEST(AckWaitersTest, EachIsAnsweredOnce) {
  std::multimap<uint64_t, AckWaiters::Outcome> answers;
  const auto note = [&answers](uint64_t seq) {
    return [&answers, seq](AckWaiters::Outcome outcome) { answers.emplace(seq, outcome); };
  };
  {
    AckWaiters waiters;
    EXPECT_TRUE(waiters.empty());
    waiters.Add(1, note(1));
    waiters.Add(2, note(2));
    waiters.Add(2, note(2));
    waiters.Answer(ConnectorResponse::DEVICE_ACKED, [](uint64_t seq) { return seq == 2; });
    EXPECT_EQ(answers.count(2), 2u);
    EXPECT_EQ(answers.count(1), 0u);
    waiters.Answer(ConnectorResponse::DEVICE_ACKED, [](uint64_t seq) { return seq == 2; });
  }
  EXPECT_EQ(answers.count(2), 2u);
  EXPECT_EQ(answers.find(2)->second, ConnectorResponse::DEVICE_ACKED);
  EXPECT_EQ(answers.find(1)->second, ConnectorResponse::NO_SESSION);
}

TEST(AckWaitersTest, IsBounded) {
  AckWaiters waiters;
  for (size_t i = 0; i < AckWaiters::kMaxWaiters; ++i) {
    ASSERT_FALSE(waiters.full());
    waiters.Add(i, [](AckWaiters::Outcome) {});
  }
  EXPECT_TRUE(waiters.full());
}

}  // namespace
}  // namespace bellwire::connector
