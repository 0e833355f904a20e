#include "tests/faults/ledger.h"

#include <set>

#include "common/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwire::tests {
namespace {

using ::testing::ElementsAre;

class LedgerTest : public testing::Test {
 protected:
  void Accept(size_t lane, int count) {
    for (int i = 0; i < count; ++i) ledger_.Accept(lane);
  }
  void Take(size_t lane, std::initializer_list<int64_t> numbers) {
    for (const int64_t number : numbers) ledger_.Take(lane, Ledger::Payload(lane, number));
  }
  Ledger ledger_{2};
};

TEST_F(LedgerTest, NothingWrong) {
  Accept(0, 3);
  Take(0, {1, 2, 3});
  Accept(1, 1);
  Take(1, {1, 2});  // The second one's OK is still on its way.
  const Ledger::Tally tally = ledger_.Count();
  EXPECT_TRUE(tally.clean());
  EXPECT_EQ(tally.accepted, 4);
  EXPECT_EQ(tally.taken, 5);
  EXPECT_EQ(ledger_.Outstanding(0), 0);
  EXPECT_EQ(ledger_.Outstanding(1), 0);
}

TEST_F(LedgerTest, Lost) {
  Accept(0, 5);
  Take(0, {1, 2});
  Take(0, {4});
  EXPECT_EQ(ledger_.Count().lost, 2);
  EXPECT_EQ(ledger_.Outstanding(0), 2);
  EXPECT_THAT(ledger_.SomeLost(10), ElementsAre("0/3", "0/5"));
  EXPECT_THAT(ledger_.SomeLost(1), ElementsAre("0/3"));
}

TEST_F(LedgerTest, Twice) {
  Accept(0, 3);
  Take(0, {1, 2, 2, 1, 3});
  const Ledger::Tally tally = ledger_.Count();
  EXPECT_EQ(tally.twice, 2);
  EXPECT_EQ(tally.lost, 0);
  EXPECT_FALSE(tally.clean());
}

TEST_F(LedgerTest, OutOfOrder) {
  Accept(0, 4);
  Take(0, {1, 3, 4, 2});
  Ledger::Tally tally = ledger_.Count();
  EXPECT_EQ(tally.out_of_order, 2);
  EXPECT_EQ(tally.lost, 0);
  EXPECT_EQ(tally.taken, 4);
  Take(0, {3});
  EXPECT_EQ(ledger_.Count().twice, 1);
}

TEST_F(LedgerTest, Strays) {
  Accept(0, 1);
  ledger_.Take(0, Ledger::Payload(1, 1));
  ledger_.Take(0, "");
  ledger_.Take(0, "0/1/");
  EXPECT_EQ(ledger_.Count().strays, 3);
  EXPECT_EQ(ledger_.Count().lost, 1);
}

TEST_F(LedgerTest, PayloadsDifferAndFit) {
  std::set<std::string> payloads;
  size_t longest = 0;
  for (size_t lane = 0; lane < 10; ++lane) {
    for (int64_t number = 1; number <= 200; ++number) {
      const std::string payload = Ledger::Payload(lane, number);
      longest = std::max(longest, payload.size());
      payloads.insert(payload);
    }
  }
  EXPECT_EQ(payloads.size(), 2000u);
  EXPECT_LE(longest, kMaxPayloadBytes);
  EXPECT_GE(longest, 4000u);
}

}  // namespace
}  // namespace bellwire::tests
