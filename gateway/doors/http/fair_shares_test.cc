#include "gateway/doors/http/fair_shares.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "net/socket/address.h"

namespace bellwire::http {
namespace {

net::PeerKey Peer(int i) {
  return net::PeerKey::OfAddress(*net::NumericAddress(absl::StrCat("192.0.2.", i), 1));
}

TEST(FairSharesTest, OnePeerAloneMayHaveHalf) {
  FairShares shares(100);
  FairShares::Member greedy(&shares, Peer(1));
  size_t taken = 0;
  while (greedy.Take(1)) ++taken;
  EXPECT_EQ(taken, 50u);
}

TEST(FairSharesTest, WhoeverComesLaterStillFindsRoom) {
  FairShares shares(100);
  FairShares::Member greedy(&shares, Peer(1));
  while (greedy.Take(1)) {
  }
  FairShares::Member quiet(&shares, Peer(2));
  for (int i = 0; i < 25; ++i) EXPECT_TRUE(quiet.Take(1)) << i;
  EXPECT_FALSE(quiet.Take(1));
  FairShares::Member third(&shares, Peer(3));
  for (int i = 0; i < 16; ++i) EXPECT_TRUE(third.Take(1)) << i;
  EXPECT_FALSE(third.Take(1));
}

TEST(FairSharesTest, MembersOfOnePeerShare) {
  FairShares shares(100);
  std::vector<std::unique_ptr<FairShares::Member>> members;
  size_t taken = 0;
  for (int i = 0; i < 200; ++i) {
    members.push_back(std::make_unique<FairShares::Member>(&shares, Peer(1)));
    taken += members.back()->Take(1) ? 1 : 0;
  }
  EXPECT_EQ(taken, 50u);
  members.clear();
  EXPECT_EQ(shares.taken(), 0u);
}

TEST(FairSharesTest, SharesBiteOnlyWhileThereIsLittleLeft) {
  FairShares shares(100);
  std::vector<std::unique_ptr<FairShares::Member>> idle;
  for (int i = 0; i < 10; ++i) {
    idle.push_back(std::make_unique<FairShares::Member>(&shares, Peer(i)));
  }
  FairShares::Member busy(&shares, Peer(99));
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(busy.Take(1)) << i;
  EXPECT_FALSE(busy.Take(1));
  busy.Give(20);
  EXPECT_TRUE(busy.Take(20));
}

TEST(FairSharesTest, NothingIsTakenBeyondTheCapacityExceptAnyway) {
  FairShares shares(10);
  std::vector<std::unique_ptr<FairShares::Member>> members;
  for (int i = 0; i < 100; ++i) {
    members.push_back(std::make_unique<FairShares::Member>(&shares, Peer(i)));
    members.back()->Take(1);
  }
  EXPECT_LE(shares.taken(), 10u);
  members[0]->TakeAnyway(100);
  EXPECT_FALSE(members[1]->Take(1));
}

}  // namespace
}  // namespace bellwire::http
