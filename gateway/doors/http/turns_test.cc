#include "gateway/doors/http/turns.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "gtest/gtest.h"

namespace bellwire::http {
namespace {

constexpr absl::Duration kLittle = absl::Microseconds(25);

TEST(TurnsTest, TheLineIsServedInItsOrder) {
  Turns turns;
  std::vector<int> ran;
  turns.Stand([&] { ran.push_back(1); });
  const Turns::Place second = turns.Stand([&] { ran.push_back(2); });
  turns.Stand([&] {
    ran.push_back(3);
    turns.Stand([&] { ran.push_back(4); });
  });
  turns.Leave(second);
  while (!turns.empty()) turns.RunNext();
  turns.Leave(second);
  EXPECT_EQ(ran, (std::vector<int>{1, 3, 4}));
}

TEST(TurnsTest, NobodyStandsInLineForNobody) {
  Turns turns;
  Turns::Account account;
  // Each is a round of its own.
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(turns.Charge(&account, kLittle));
  EXPECT_FALSE(turns.Charge(&account, Turns::kQuantum));
}

// Two connections want all of the thread; a third uses a tenth of a quantum in each round.
TEST(TurnsTest, WhoeverStaysWithinItsQuantumNeverStandsInLine) {
  Turns turns;
  Turns::Account quiet;
  std::vector<Turns::Account> greedy(2);
  std::vector<int> served(greedy.size());
  const auto serve = [&](size_t i, const auto& self) -> void {
    ++served[i];
    EXPECT_FALSE(turns.Charge(&greedy[i], Turns::kQuantum));
    turns.Stand([&, i, self] { self(i, self); });
  };
  for (size_t i = 0; i < greedy.size(); ++i) serve(i, serve);
  for (int i = 0; i < 1000; ++i) {
    if (i % 2 == 0) {
      EXPECT_TRUE(turns.Charge(&quiet, kLittle)) << i;
    }
    turns.RunNext();
  }
  EXPECT_EQ(served[0], served[1]);
  // More than its share of a round: it has to stand in line as well.
  bool exhausted = false;
  for (int i = 0; i < 11; ++i) exhausted |= !turns.Charge(&quiet, kLittle);
  EXPECT_TRUE(exhausted);
}

}  // namespace
}  // namespace bellwire::http
