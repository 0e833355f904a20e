#include "rpc/partition_table.h"

#include "gtest/gtest.h"
#include "rpc/partition_hash.h"

namespace bellwire {
namespace {

internal::v1::PartitionMap Map(uint64_t version, const std::vector<std::string>& owners) {
  internal::v1::PartitionMap map;
  map.set_version(version);
  map.set_partitions(static_cast<uint32_t>(owners.size()));
  map.set_key("secret");
  for (const std::string address : {"a:1", "b:1"}) {
    auto* owner = map.add_owners();
    owner->set_address(address);
    for (size_t p = 0; p < owners.size(); ++p) {
      if (owners[p] == address) owner->add_partitions(static_cast<uint32_t>(p));
    }
  }
  return map;
}

TEST(PartitionTableTest, KnowsNothingAtFirst) {
  EXPECT_FALSE(PartitionTable().known());
  EXPECT_FALSE(PartitionTable().shared());
}

TEST(PartitionTableTest, AStoreOfOneRegistryIsNotShared) {
  internal::v1::PartitionMap map;
  EXPECT_TRUE(PartitionTable(map).known());
  map.set_partitions(1);
  EXPECT_FALSE(PartitionTable(map).shared());
}

TEST(PartitionTableTest, FindsTheOwnerOfADevice) {
  const PartitionTable table(Map(7, {"a:1", "b:1", "a:1", ""}));
  ASSERT_TRUE(table.shared());
  for (const char* device : {"device 1", "device 2", "device 3"}) {
    EXPECT_EQ(table.OfDevice(device), PartitionOfDevice(device, "secret", 4));
  }
  EXPECT_EQ(table.OwnerOf(0), "a:1");
  EXPECT_EQ(table.OwnerOf(1), "b:1");
  EXPECT_EQ(table.OwnerOf(3), "");
  EXPECT_EQ(table.OwnerOf(table.home()), "");
  EXPECT_EQ(table.OfFeed(2), table.home() + 2);
  EXPECT_EQ(table.owners(), (std::vector<std::string>{"a:1", "b:1"}));
}

TEST(PartitionTableTest, LearnsWhatIsNewer) {
  PartitionTable table(Map(7, {"a:1", "b:1", "a:1", ""}));
  table.Learn(0, "c:1", 7);
  EXPECT_EQ(table.OwnerOf(0), "a:1") << "an answer from before the map";
  table.Learn(0, "c:1", 8);
  EXPECT_EQ(table.OwnerOf(0), "c:1");
  table.Learn(3, "c:1", 1);
  EXPECT_EQ(table.OwnerOf(3), "c:1") << "better than nobody";
  EXPECT_EQ(table.owners().size(), 3u);
}

TEST(PartitionTableTest, TellsWhatMoved) {
  const PartitionTable before(Map(7, {"a:1", "b:1", "a:1", ""}));
  const PartitionTable after(Map(8, {"a:1", "a:1", "", "b:1"}));
  EXPECT_EQ(after.MovedSince(before), (std::set<int>{1, 3})) << "nobody has 2 as yet";
}

}  // namespace
}  // namespace bellwire
