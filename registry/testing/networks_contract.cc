// What a Store promises of the pool of networks: the part of StoreContractTest about it.

#include <string>

#include "common/limits.h"
#include "registry/testing/store_contract.h"

namespace bellwire::registry {
namespace {

NetworkReport Said(uint8_t network, absl::Duration interval) {
  return {*NetworkId::FromBytes(std::string(NetworkId::kSize, static_cast<char>(network))),
          interval};
}

}  // namespace

TEST_P(StoreContractTest, ANewcomerIsHintedWhatOthersLearned) {
  for (uint8_t device = 1; device <= 3; ++device) {
    const auto hint = store().ReportNetwork(Device(device), Said(7, absl::Seconds(270 + device)));
    ASSERT_TRUE(hint.ok()) << hint.status();
    EXPECT_EQ(*hint, absl::ZeroDuration()) << "too few others";
    Commit();
  }
  const auto hint = store().ReportNetwork(Device(9), Said(7, absl::ZeroDuration()));
  ASSERT_TRUE(hint.ok()) << hint.status();
  EXPECT_EQ(*hint, absl::Seconds(272));
  const auto other = store().ReportNetwork(Device(9), Said(8, absl::ZeroDuration()));
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(*other, absl::ZeroDuration());
}

TEST_P(StoreContractTest, AskingForAHintIsNoVote) {
  for (uint8_t device = 1; device <= 9; ++device) {
    const auto hint = store().ReportNetwork(Device(device), Said(7, absl::ZeroDuration()));
    ASSERT_TRUE(hint.ok()) << hint.status();
    EXPECT_EQ(*hint, absl::ZeroDuration());
    Commit();
  }
}

TEST_P(StoreContractTest, ThePoolSurvivesARestartAndForgetsWithTime) {
  for (uint8_t device = 1; device <= 3; ++device) {
    ASSERT_TRUE(store().ReportNetwork(Device(device), Said(7, absl::Seconds(280))).ok());
  }
  Commit();
  Restart();
  const auto kept = store().ReportNetwork(Device(9), Said(7, absl::ZeroDuration()));
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(*kept, absl::Seconds(280));
  clock().Advance(kNetworkVoteRetention);
  const auto forgotten = store().ReportNetwork(Device(9), Said(7, absl::ZeroDuration()));
  ASSERT_TRUE(forgotten.ok()) << forgotten.status();
  EXPECT_EQ(*forgotten, absl::ZeroDuration());
}

}  // namespace bellwire::registry
