#include "rpc/partition_hash.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace bellwire {
namespace {

// Stored records lie where these numbers say.
TEST(PartitionHashTest, NeverChanges) {
  // openssl dgst -sha256 -hmac secret: the first eight bytes, modulo 256 and 7.
  EXPECT_EQ(PartitionOfDevice("0123456789abcdef", "secret", 256), 153);
  EXPECT_EQ(PartitionOfDevice("0123456789abcdef", "secret", 7), 5);
  EXPECT_EQ(PartitionOfDevice("0123456789abcdef", "secret", 1), 0);
}

TEST(PartitionHashTest, DevicesSpreadAndNobodyKnowsHowWithoutTheKey) {
  std::set<int> seen;
  int same = 0;
  for (int n = 0; n < 256; ++n) {
    const std::string device = absl::StrCat("device ", n);
    seen.insert(PartitionOfDevice(device, "secret", 256));
    same += PartitionOfDevice(device, "secret", 256) == PartitionOfDevice(device, "another", 256);
  }
  EXPECT_GT(seen.size(), 120u) << "162 are to be expected";
  EXPECT_LT(same, 10);
}

}  // namespace
}  // namespace bellwire
