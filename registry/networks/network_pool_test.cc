#include "registry/networks/network_pool.h"

#include <string>

#include "common/limits.h"
#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

constexpr int64_t kStartMs = 1'700'000'000'000;

// Ids of one slot: they differ in their last byte only.
NetworkId Network(uint8_t n) {
  std::string bytes(NetworkId::kSize, 'n');
  bytes.back() = static_cast<char>(n);
  return *NetworkId::FromBytes(bytes);
}

class NetworkPoolTest : public testing::Test {
 protected:
  bool Vote(uint64_t voter, absl::Duration interval, uint8_t network = 1) {
    return AddNetworkVote(&slot_, Network(network), voter, interval, now_ms_);
  }
  absl::Duration Hint(uint64_t voter = 0, uint8_t network = 1) const {
    return NetworkHint(slot_, Network(network), voter, now_ms_);
  }
  void Advance(absl::Duration d) { now_ms_ += absl::ToInt64Milliseconds(d); }

  storage::v1::NetworkSlot slot_;
  int64_t now_ms_ = kStartMs;
};

TEST_F(NetworkPoolTest, AHintIsTheWordOfSeveralOthers) {
  for (uint64_t voter = 1; voter < kMinHintVotes; ++voter) {
    EXPECT_TRUE(Vote(voter, absl::Seconds(280)));
    EXPECT_EQ(Hint(), absl::ZeroDuration());
  }
  EXPECT_TRUE(Vote(kMinHintVotes, absl::Seconds(280)));
  EXPECT_EQ(Hint(), absl::Seconds(280));
  EXPECT_EQ(Hint(/*voter=*/1), absl::ZeroDuration()) << "its own word is no other's";
  EXPECT_EQ(Hint(0, /*network=*/2), absl::ZeroDuration());
}

TEST_F(NetworkPoolTest, LiarsBelowHalfMoveNothing) {
  for (uint64_t voter = 1; voter <= 5; ++voter) Vote(voter, absl::Seconds(270 + voter));
  for (uint64_t voter = 6; voter <= 7; ++voter) Vote(voter, absl::Minutes(60));
  EXPECT_EQ(Hint(), absl::Seconds(274));
  for (uint64_t voter = 8; voter <= 9; ++voter) Vote(voter, absl::Seconds(10));
  EXPECT_EQ(Hint(), absl::Seconds(273));
}

TEST_F(NetworkPoolTest, OfTwoInTheMiddleTheLower) {
  for (uint64_t voter = 1; voter <= 4; ++voter) Vote(voter, absl::Seconds(100 * voter));
  EXPECT_EQ(Hint(), absl::Seconds(200));
}

TEST_F(NetworkPoolTest, ADeviceHasOneVoteAndMayChangeIt) {
  for (int i = 0; i < 10; ++i) Vote(1, absl::Seconds(100 + i));
  Vote(2, absl::Seconds(280));
  EXPECT_EQ(Hint(), absl::ZeroDuration());
  Vote(3, absl::Seconds(280));
  ASSERT_EQ(slot_.networks(0).votes_size(), 3);
  EXPECT_EQ(Hint(), absl::Seconds(280));
}

TEST_F(NetworkPoolTest, TheSameWordAgainIsNotWritten) {
  EXPECT_TRUE(Vote(1, absl::Seconds(280)));
  EXPECT_FALSE(Vote(1, absl::Seconds(280)));
  Advance(kNetworkVoteRefresh - absl::Seconds(1));
  EXPECT_FALSE(Vote(1, absl::Seconds(280)));
  Advance(absl::Seconds(1));
  EXPECT_TRUE(Vote(1, absl::Seconds(280)));
  EXPECT_EQ(slot_.networks(0).votes(0).reported_at_ms(), now_ms_);
  Advance(-absl::Hours(24));
  EXPECT_TRUE(Vote(1, absl::Seconds(280))) << "the clock was set back";
}

TEST_F(NetworkPoolTest, OldVotesCountNoMoreAndGo) {
  for (uint64_t voter = 1; voter <= 3; ++voter) Vote(voter, absl::Seconds(280));
  Advance(kNetworkVoteRetention - absl::Seconds(1));
  EXPECT_EQ(Hint(), absl::Seconds(280));
  Advance(absl::Seconds(1));
  EXPECT_EQ(Hint(), absl::ZeroDuration());
  Vote(4, absl::Seconds(100), /*network=*/2);
  ASSERT_EQ(slot_.networks_size(), 1);
  EXPECT_EQ(slot_.networks(0).votes_size(), 1);
}

TEST_F(NetworkPoolTest, ACrowdOfNewcomersPushesNobodyOut) {
  for (uint64_t voter = 1; voter <= kMaxNetworkVotes; ++voter) Vote(voter, absl::Seconds(280));
  for (uint64_t voter = 100; voter < 200; ++voter) EXPECT_FALSE(Vote(voter, absl::Minutes(60)));
  EXPECT_EQ(slot_.networks(0).votes_size(), static_cast<int>(kMaxNetworkVotes));
  EXPECT_EQ(Hint(), absl::Seconds(280));
  Advance(kNetworkVoteRefresh);
  EXPECT_TRUE(Vote(100, absl::Seconds(200))) << "the oldest one was not renewed";
  EXPECT_EQ(slot_.networks(0).votes_size(), static_cast<int>(kMaxNetworkVotes));
}

TEST_F(NetworkPoolTest, AFullSlotKeepsWhatSeveralVouchFor) {
  for (uint64_t voter = 1; voter <= 3; ++voter) Vote(voter, absl::Seconds(280), /*network=*/1);
  for (uint8_t network = 2; network < 200; ++network) {
    Advance(absl::Seconds(1));
    EXPECT_TRUE(Vote(7, absl::Seconds(100), network));
    ASSERT_LE(static_cast<size_t>(slot_.networks_size()), kMaxNetworksPerSlot);
  }
  EXPECT_EQ(Hint(0, /*network=*/1), absl::Seconds(280));
}

TEST_F(NetworkPoolTest, AFullSlotOfNetworksInUseTakesNoMore) {
  for (uint8_t network = 1; network <= kMaxNetworksPerSlot; ++network) {
    for (uint64_t voter = 1; voter <= 3; ++voter) Vote(voter, absl::Seconds(280), network);
    Advance(absl::Seconds(1));
  }
  EXPECT_FALSE(Vote(1, absl::Seconds(280), /*network=*/99));
  Advance(kNetworkVoteRefresh);
  EXPECT_TRUE(Vote(1, absl::Seconds(280), /*network=*/99));
  EXPECT_EQ(Hint(0, /*network=*/1), absl::ZeroDuration()) << "the one that was used last gave way";
  EXPECT_EQ(Hint(0, /*network=*/2), absl::Seconds(280));
}

TEST(NetworkVoterTest, IsAnotherOnEachNetwork) {
  const DeviceId device = *DeviceId::FromBytes(std::string(DeviceId::kSize, 'd'));
  const DeviceId other = *DeviceId::FromBytes(std::string(DeviceId::kSize, 'e'));
  EXPECT_NE(NetworkVoterOf(Network(1), device), NetworkVoterOf(Network(1), other));
  EXPECT_NE(NetworkVoterOf(Network(1), device), NetworkVoterOf(Network(2), device))
      << "nobody's ways can be followed from network to network";
}

}  // namespace
}  // namespace bellwire::registry
