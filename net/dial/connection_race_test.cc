#include "net/dial/connection_race.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::net {
namespace {

std::string Interleaved(const std::vector<std::string>& hosts) {
  std::vector<SocketAddress> addresses;
  for (const std::string& host : hosts) addresses.push_back(*NumericAddress(host, 1));
  return absl::StrJoin(InterleaveFamilies(addresses), " ",
                       [](std::string* out, const SocketAddress& address) {
                         absl::StrAppend(out, FormatAddress(address));
                       });
}

TEST(ConnectionRaceTest, FamiliesTakeTurnsBehindTheFirst) {
  EXPECT_EQ(Interleaved({"::1", "::2", "::3", "10.0.0.1", "10.0.0.2"}),
            "[::1]:1 10.0.0.1:1 [::2]:1 10.0.0.2:1 [::3]:1");
  EXPECT_EQ(Interleaved({"10.0.0.1", "10.0.0.2", "::1"}), "10.0.0.1:1 [::1]:1 10.0.0.2:1");
  EXPECT_EQ(Interleaved({"10.0.0.1"}), "10.0.0.1:1");
  EXPECT_EQ(Interleaved({}), "");
}

TEST(ConnectionRaceTest, AHostOfVeryManyAddressesIsCut) {
  const std::vector<SocketAddress> many(2 * kMaxConnectionAttempts, *NumericAddress("::1", 1));
  EXPECT_EQ(InterleaveFamilies(many).size(), kMaxConnectionAttempts);
}

class RaceTest : public testing::Test {
 protected:
  SimulatedClock clock_;
  // The attempts that begin now, "0 1".
  std::string Begin(ConnectionRace* race) {
    std::vector<size_t> begun;
    while (const auto next = race->Next(clock_.Monotonic())) begun.push_back(*next);
    return absl::StrJoin(begun, " ");
  }
};

TEST_F(RaceTest, AttemptsBeginAQuarterOfASecondApart) {
  ConnectionRace race(3);
  EXPECT_EQ(Begin(&race), "0");
  EXPECT_EQ(*race.next_start() - clock_.Monotonic(), kConnectionAttemptDelay);
  clock_.Advance(kConnectionAttemptDelay - absl::Milliseconds(1));
  EXPECT_EQ(Begin(&race), "");
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(Begin(&race), "1");
  clock_.Advance(kConnectionAttemptDelay);
  EXPECT_EQ(Begin(&race), "2");
  EXPECT_EQ(race.next_start(), std::nullopt);
  EXPECT_FALSE(race.lost());
}

TEST_F(RaceTest, OneThatFailedIsFollowedAtOnce) {
  ConnectionRace race(3);
  EXPECT_EQ(Begin(&race), "0");
  race.OnFailed();
  EXPECT_EQ(Begin(&race), "1") << "and only one more";
  clock_.Advance(kConnectionAttemptDelay);
  EXPECT_EQ(Begin(&race), "2");
  race.OnFailed();
  EXPECT_FALSE(race.lost()) << "one is still under way";
  race.OnFailed();
  EXPECT_TRUE(race.lost());
}

TEST_F(RaceTest, WithoutAddressesItIsLost) { EXPECT_TRUE(ConnectionRace(0).lost()); }

}  // namespace
}  // namespace bellwire::net
