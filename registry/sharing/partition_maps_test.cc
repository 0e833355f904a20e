#include "registry/sharing/partition_maps.h"

#include <vector>

#include "common/simulated_clock.h"
#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

class PartitionMapsTest : public testing::Test {
 protected:
  static internal::v1::PartitionMap Map(uint64_t version) {
    internal::v1::PartitionMap map;
    map.set_version(version);
    map.set_partitions(256);
    return map;
  }
  void Get(uint64_t known, int64_t wait_ms) {
    internal::v1::GetPartitionMapRequest request;
    request.set_known_version(known);
    request.set_wait_ms(wait_ms);
    maps_.Get(request, [this](absl::StatusOr<internal::v1::PartitionMap> map) {
      answers_.push_back(map->version());
    });
  }

  std::vector<uint64_t> answers_;
  SimulatedClock clock_;
  PartitionMaps maps_{&clock_};
};

TEST_F(PartitionMapsTest, AtFirstThereIsOnePartition) {
  maps_.Get({}, [](absl::StatusOr<internal::v1::PartitionMap> map) {
    ASSERT_TRUE(map.ok());
    EXPECT_EQ(map->partitions(), 1u);
    EXPECT_EQ(map->owners_size(), 0);
  });
}

TEST_F(PartitionMapsTest, WhoHasTheLatestMapWaitsForANewerOne) {
  maps_.Set(Map(7));
  Get(7, 4000);
  EXPECT_TRUE(answers_.empty());
  maps_.Set(Map(7));
  EXPECT_TRUE(answers_.empty());
  maps_.Set(Map(8));
  EXPECT_EQ(answers_, std::vector<uint64_t>{8});
}

TEST_F(PartitionMapsTest, OthersAreAnsweredAtOnce) {
  maps_.Set(Map(7));
  Get(6, 4000);
  Get(7, 0);
  // From a registry that has seen more.
  Get(9, 4000);
  EXPECT_EQ(answers_, (std::vector<uint64_t>{7, 7, 7}));
}

TEST_F(PartitionMapsTest, NobodyWaitsForEver) {
  maps_.Set(Map(7));
  Get(7, 1'000'000);
  clock_.Advance(kMaxMapWait - absl::Milliseconds(1));
  maps_.Expire();
  EXPECT_TRUE(answers_.empty());
  clock_.Advance(absl::Milliseconds(1));
  maps_.Expire();
  EXPECT_EQ(answers_, std::vector<uint64_t>{7});
}

TEST_F(PartitionMapsTest, WaitersAreBounded) {
  maps_.Set(Map(7));
  for (size_t i = 0; i < kMaxMapWaiters; ++i) Get(7, 4000);
  EXPECT_TRUE(answers_.empty());
  Get(7, 4000);
  EXPECT_EQ(answers_.size(), 1u);
  maps_.Set(Map(8));
  EXPECT_EQ(answers_.size(), kMaxMapWaiters + 1);
}

}  // namespace
}  // namespace bellwire::registry
